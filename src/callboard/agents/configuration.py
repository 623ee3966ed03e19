"""What a deployment may change without touching code: models, routes, upstreams, prices, budgets, from a TOML file.

[routes]
smart = ["provider:model", "local"]    # in order; or a table with candidates and rules

[upstreams.provider]
concurrency = 64
requests = { limit = 500, period = 60 }
otherwise = "fail"

[models.local]
reference = "other-provider:model"
url = "http://127.0.0.1:8000/v1"
key_env = "LOCAL_KEY"

[prices."provider:model"]
input = "1.25"                         # dollars for a million tokens
output = "10.00"

[[budgets]]
scope = "tenant"
period = "day"
usd = "20.00"
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.usage import micros
from callboard.models.info import Price
from callboard.models.model import Model
from callboard.models.route import Route, route
from callboard.policy import Budget
from callboard.resilience.upstream import Upstream

_NO_OPTIONS = frozenset({"api_key", "upstream", "url"})


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model of a provider under a name of one's own. `key_env` names the variable that holds the key."""

    reference: str
    url: str | None = None
    key_env: str | None = None
    upstream: str | None = None
    options: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if ":" not in self.reference:
            raise InputInvalid(
                f"reference={self.reference!r} names no model of a provider", remedy="write provider:model"
            )
        if wrong := sorted(_NO_OPTIONS & self.options.keys()):
            raise InputInvalid(
                f"options.{wrong[0]} is no option", remedy="url, upstream and key_env stand beside reference"
            )


class Listed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price in dollars, as text, for a million tokens; `request` for a call. `cached` is for input that the provider
    had kept, `written` for input that it puts aside to keep it."""

    input: str
    output: str
    cached: str | None = None
    request: str = "0"
    written: str | None = None

    def price(self) -> Price:
        """In micro-dollars."""
        cached = None if self.cached is None else micros(self.cached)
        laid = None if self.written is None else micros(self.written)
        return Price(micros(self.input), micros(self.output), cached, micros(self.request), "settings", laid)


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says, checked. Everything is by name."""

    models: Mapping[str, Reference] = {}
    routes: Mapping[str, Route] = {}
    upstreams: Mapping[str, Upstream] = {}
    prices: Mapping[str, Price] = {}
    budgets: tuple[Budget, ...] = ()


def read_configuration(path: str | Path) -> Configuration:
    """Reads a file. Raises InputInvalid, naming the file, the place in it and what is wrong."""
    try:
        with Path(path).open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise InputInvalid(f"{path} cannot be read: {error.strerror}", remedy="name another file") from error
    except tomllib.TOMLDecodeError as error:
        raise InputInvalid(f"{path} is not TOML: {error}", remedy="mend the line") from error
    except UnicodeDecodeError as error:
        raise InputInvalid(f"{path} is not TOML: {error.reason}", remedy="save it as UTF-8") from error
    unknown = sorted(set(tables) - {field.name for field in msgspec.structs.fields(Configuration)})
    if unknown:
        known = ", ".join(field.name for field in msgspec.structs.fields(Configuration))
        raise InputInvalid(f"{path}: unknown table {unknown[0]!r}", remedy=f"it may have: {known}")
    try:
        return Configuration(
            models={name: _as(Reference, f"models.{name}", each) for name, each in _table(tables, "models")},
            routes={name: _route(name, each) for name, each in _table(tables, "routes")},
            upstreams={
                name: _as(Upstream, f"upstreams.{name}", {**each, "name": name} if isinstance(each, dict) else each)
                for name, each in _table(tables, "upstreams")
            },
            prices={name: _as(Listed, f"prices.{name}", each).price() for name, each in _table(tables, "prices")},
            budgets=tuple(_as(Budget, f"budgets[{i}]", each) for i, each in enumerate(_budgets(tables))),
        )
    except InputInvalid as error:
        raise InputInvalid(f"{path}: {error.what}", why=error.why, remedy=error.remedy) from error


def provided(references: Mapping[str, Reference]) -> Callable[[str], Model]:
    """Makes models of references, by their names in a configuration or as they stand."""

    def make(name: str) -> Model:
        from callboard.models.providers import provide

        found = references.get(name)
        if found is None:
            return provide(name)
        key = None if found.key_env is None else os.environ.get(found.key_env)
        if found.key_env is not None and key is None:
            raise InputInvalid(f"model {name}: {found.key_env} is not set", remedy="put the key into that variable")
        return provide(found.reference, url=found.url, api_key=key, upstream=found.upstream, **found.options)

    return make


def _table(tables: dict[str, Any], name: str) -> list[tuple[str, Any]]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise InputInvalid(f"{name} is no table", remedy=f"write [{name}.NAME]")
    return list(table.items())


def _budgets(tables: dict[str, Any]) -> list[Any]:
    found = tables.get("budgets", [])
    if not isinstance(found, list):
        raise InputInvalid(f"budgets={found!r} is no list of tables", remedy="write [[budgets]] above each")
    return found


def _route(name: str, value: Any) -> Route:
    if isinstance(value, str):
        return route(name, value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return route(name, *value)
    if isinstance(value, dict):
        listed = value.get("candidates", [])
        if isinstance(listed, list):
            listed = [{"model": each} if isinstance(each, str) else each for each in listed]
        found: Route = _as(Route, f"routes.{name}", {**value, "name": name, "candidates": listed})
        return found
    raise InputInvalid(
        f"routes.{name}={value!r} is neither a text, a list of texts nor a table",
        remedy='write the models in order: ["provider:model", "another"]',
    )


def _as(kind: Any, place: str, value: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InputInvalid(f"{place}: {error}", remedy=f"see the fields of {kind.__name__}") from error
