"""Which calls go wrong, and how: rules as values, checked, readable from a file."""

import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid

_FOREVER = 1e9


class FaultKind(StrEnum):
    """What goes wrong.

    TIMEOUT: no answer comes. RATE_LIMITED, ERROR, UNAVAILABLE: the other side says 429, 500, 503. REFUSED: nobody
    listens there. MALFORMED: a page of HTML where JSON was due. CUT: the connection breaks in the answer. SCHEMA: an
    answer of another form. SLOW: it comes, late and in drips. EMPTY: an answer with nothing in it. DUPLICATE: the
    call, or the hint to a worker, is delivered twice. KILL: the process dies.
    """

    TIMEOUT = "timeout"
    RATE_LIMITED = "429"
    ERROR = "500"
    UNAVAILABLE = "503"
    REFUSED = "refused"
    MALFORMED = "malformed"
    CUT = "cut"
    SCHEMA = "schema"
    SLOW = "slow"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    KILL = "kill"


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which calls are struck by which fault. Without probability, nth or every, each one that fits.

    Attributes:
        kind: what goes wrong.
        upstream: the upstreams that it is about, as a pattern with `*`; `dispatch` for the bell that wakes workers.
        target: the tools or models of these upstreams that it is about, as a pattern.
        probability: of each call that fits, above 0 and up to 1.
        nth: the n-th call that fits, counted from 1; one number or several.
        every: each n-th call that fits.
        each: the calls of each target are counted by themselves, so that `nth=1` strikes each tool's first call.
        begin: seconds after the beginning from which it acts.
        duration: seconds for which it acts then; None for ever.
        seconds: how long a time-out hangs before the caller's client gives up, None for until the caller's own time
            limit; how late a slow answer, and each piece of it, is.
        after: what gets through before: pieces of a model's stream; for a tool 0 means that the call never arrived
            and 1 that it was made and only its answer is lost.
        retry_after: seconds that a 429 or a 503 asks to wait.
        limit: how often it strikes at most.
    """

    kind: FaultKind
    upstream: str = "*"
    target: str = "*"
    probability: float | None = None
    nth: int | tuple[int, ...] | None = None
    every: int | None = None
    each: bool = False
    begin: float = 0.0
    duration: float | None = None
    seconds: float | None = None
    after: int = 0
    retry_after: float | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        kind: Any = self.kind  # the constructor takes what it gets
        if not isinstance(kind, FaultKind):
            if kind not in tuple(FaultKind):
                self._refuse("kind", f"one of {', '.join(FaultKind)}")
            msgspec.structs.force_setattr(self, "kind", FaultKind(kind))
        if sum(choice is not None for choice in (self.probability, self.nth, self.every)) > 1:
            raise InputInvalid(f"rule {self.title}: only one of probability, nth, every can be", remedy="keep one")
        if self.probability is not None and not 0 < self.probability <= 1:
            self._refuse("probability", "a number above 0 and up to 1")
        if not self.wanted or min(self.wanted) < 1:
            self._refuse("nth", "a number from 1, or several")
        for field in ("every", "limit"):
            if (count := getattr(self, field)) is not None and count < 1:
                self._refuse(field, "a whole number from 1")
        for field in ("begin", "duration", "seconds", "retry_after"):
            if (value := getattr(self, field)) is not None and not 0 <= value < _FOREVER:
                self._refuse(field, "a number of seconds from 0")
        if self.after < 0:
            self._refuse("after", "a number from 0")

    @property
    def title(self) -> str:
        """What reports call it: `503 at shop`."""
        where = self.upstream if self.target == "*" else f"{self.upstream}/{self.target}"
        return f"{self.kind}{' (answer lost)' if self.after else ''} at {where}"

    @property
    def wanted(self) -> tuple[int, ...]:
        """The numbers of the calls to strike, if `nth` says so; (1,) as a stand-in where it does not."""
        if self.nth is None:
            return (1,)
        return (self.nth,) if isinstance(self.nth, int) else self.nth

    def _refuse(self, field: str, wanted: str) -> None:
        raise InputInvalid(
            f"rule {self.title}: {field}={getattr(self, field)!r} is not {wanted}", remedy=f"change {field}"
        )


def read_rules(path: str | Path) -> tuple[FaultRule, ...]:
    """Reads a TOML file of `[[rules]]` tables. Raises InputInvalid, naming the file, the rule and what is wrong."""
    try:
        with Path(path).open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise InputInvalid(f"{path} cannot be read: {error.strerror}", remedy="name another file") from error
    except tomllib.TOMLDecodeError as error:
        raise InputInvalid(f"{path} is not TOML: {error}", remedy="mend the line") from error
    listed: Any = tables.get("rules")
    if not isinstance(listed, list) or not listed or len(tables) > 1:
        raise InputInvalid(f"{path} has no list of rules", remedy='write [[rules]] with kind = "503" below it')
    rules = []
    for number, table in enumerate(listed, 1):
        try:
            rules.append(msgspec.convert(table, FaultRule))
        except (msgspec.ValidationError, InputInvalid) as error:
            # Text of ours says all; the library's names the field and what it should be.
            raise InputInvalid(
                f"{path}, rule {number}: {error}", remedy="see the fields of callboard.testing.FaultRule"
            ) from error
    return tuple(rules)
