"""A declared type, and how a stored JSON value becomes one. Built once per annotation, not per call."""

import base64
import inspect
import json
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError

from callboard.domain.errors import InputInvalid, Unencodable
from callboard.domain.partial import Partial, revived

_PLAIN = (Any, None, type(None), inspect.Parameter.empty, str, int, bool, float, dict, list, object)


class Shape:
    """Loads values of one type. Plain JSON types are left as they are when `trusted`."""

    def __init__(self, annotation: Any, what: str) -> None:
        self._what = what
        self.plain = annotation in _PLAIN if _hashable(annotation) else False
        self.annotation = annotation
        self._adapter: TypeAdapter[Any] | None = None
        if annotation is not inspect.Parameter.empty and annotation is not Any:
            try:
                self._adapter = TypeAdapter(annotation)
            except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, PydanticUserError) as error:
                raise InputInvalid(
                    f"{what}: the type {annotation!r} cannot be read from JSON",
                    why=str(error).splitlines()[0],
                    remedy="use JSON types, dataclasses, pydantic models or typing_extensions.TypedDict",
                ) from error
            if annotation is not bytes and _holds_bytes(self._adapter):
                raise Unencodable(
                    f"{what}: the type {annotation!r} holds bytes, which JSON has not",
                    remedy="use pydantic.Base64Bytes, or text",
                )

    def load(self, value: Any, *, trusted: bool = False) -> Any:
        """The value as the declared type. `trusted`: we stored it ourselves, plain types need no check.

        Raises InputInvalid, naming each field, its value and what is wrong.
        """
        if self._adapter is None or (trusted and self.plain):
            return value
        if self.annotation is bytes and isinstance(value, str):
            return self._bytes(value)
        try:
            return self._adapter.validate_python(value, by_alias=True, by_name=True)
        except ValidationError as error:
            problems = "; ".join(_problem(e) for e in error.errors(include_url=False)[:5])
            raise InputInvalid(f"{self._what} is not valid: {problems}", remedy="correct these fields") from error

    def _bytes(self, text: str) -> bytes:
        """Bytes as they stand in JSON: base64."""
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise InputInvalid(f"{self._what} is not valid: it is no base64", why=str(error)) from error

    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of the type, or None when anything goes."""
        return None if self._adapter is None else self._adapter.json_schema()


def loaded(stored: Any, shape: Shape | None) -> Any:
    """What a flow gets for a stored result: a Partial, whatever the type, or a value of the type."""
    value = revived(stored)
    return value if shape is None or isinstance(value, Partial) else shape.load(value, trusted=True)


@lru_cache(1_000)  # not without bound: a flow may make its functions anew in each run
def returned(fn: Callable[..., Any]) -> Shape | None:
    """The shape of what a function returns; None where its annotation is missing, plain or unknown here.

    Raises Unencodable when values of the type would not come back as they were stored.
    """
    try:
        annotation = typing.get_type_hints(fn).get("return", Any)
        shape = Shape(annotation, f"the result of {getattr(fn, '__name__', fn)}")
    except Unencodable:
        raise
    except (NameError, TypeError, InputInvalid):
        return None
    return None if shape.plain else shape


_SHOWN = 40  # parts of a value


def _problem(error: Any) -> str:
    place = ".".join(str(p) for p in error["loc"]) or "the value"
    found = error["input"]
    small = not isinstance(found, list | dict) or len(found) <= _SHOWN  # a large one takes long to write out
    given = repr(found) if small else f"{type(found).__name__} of {len(found):,}"
    return f"{place}: {error['msg']} (got {given if len(given) <= 80 else given[:77] + '...'})"


def _holds_bytes(adapter: TypeAdapter[Any]) -> bool:
    try:
        return '"format": "binary"' in json.dumps(adapter.json_schema(mode="serialization"))
    except PydanticUserError:  # a type without a schema, such as one with a validator of its own
        return False


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
