"""One effect of a run, and how it stands."""

from enum import StrEnum
from typing import Any

import msgspec

from callboard.domain.kinds import ErrorRecord
from callboard.domain.usage import NOTHING, Usage


class Sort(StrEnum):
    """What an effect does, as far as its events tell."""

    MODEL = "model"
    TOOL = "tool"
    STEP = "step"
    WAIT = "wait"
    ASK = "ask"
    CHILD = "child"
    SCOPE = "scope"


class State(StrEnum):
    """How an effect stands."""

    OPEN = "open"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of an effect. Times are epoch seconds; `ended` is None while it is in flight.

    Attributes:
        error: why it failed.
        model: whom it asked, where it is a model call.
        due: when the next one may begin.
        spent: what it cost though it failed.
        breaker: of its upstream, as it let the call through or refused it: `half_open` or `open`; "" for closed.
        upstream: whose breaker that was.
    """

    began: float
    ended: float | None = None
    error: ErrorRecord | None = None
    model: str | None = None
    due: float | None = None
    spent: Usage = NOTHING
    breaker: str = ""
    upstream: str = ""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One effect. Times are epoch seconds.

    Attributes:
        path: as the journal names it, `place:name`.
        seq: its first event's number, by which pages name it; `last` its last event's.
        ended: None while it has no outcome.
        error: why it failed for good.
        note: what was decided for its last attempt and why: agent, model, considered.
        asked: arguments, where the journal has them.
        result: what it came to; for a model the response.
        usage: what it cost, failed attempts included.
        child: the run that it started.
        approval: the question that it asked.
        due: until when it waits.
    """

    path: str
    name: str
    sort: Sort
    state: State
    seq: int
    last: int
    began: float
    ended: float | None
    attempts: tuple[Attempt, ...]
    error: ErrorRecord | None = None
    note: dict[str, Any] = {}
    asked: Any = None
    result: Any = None
    usage: Usage = NOTHING
    reserved: Usage | None = None
    key: str | None = None
    child: str | None = None
    approval: str | None = None
    due: float | None = None

    @property
    def place(self) -> str:
        """Where it stands among the run's scopes."""
        return self.path.partition(":")[0]

    @property
    def breaker(self) -> str:
        """How the breaker stood at the last attempt at which it was not closed: `open`, `half_open`, or "" for none."""
        return next((each.breaker for each in reversed(self.attempts) if each.breaker), "")

    @property
    def retries(self) -> tuple[Attempt, ...]:
        """The attempts that failed and were followed, or are to be followed, by another."""
        return tuple(each for each in self.attempts if each.error is not None and each.due is not None)
