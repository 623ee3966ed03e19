"""The words of a tool's contract: what authors declare, raise and answer."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from callboard.domain.errors import ToolFailed
from callboard.domain.kinds import ErrorKind

_RETRYABLE = frozenset({ErrorKind.TIMEOUT, ErrorKind.UPSTREAM_DOWN, ErrorKind.RATE_LIMITED})


class SideEffect(StrEnum):
    """What calling a tool does to the world, and so what may be done when its outcome is unknown.

    READ changes nothing: call again. IDEMPOTENT may be called again with the same key. ONCE is never called
    again on suspicion: its `reconcile` tells what happened, or else a person does.
    """

    READ = "read"
    IDEMPOTENT = "idempotent"
    ONCE = "once"


class Empty(StrEnum):
    """What a result of None, "", [] or {} is: KEEP takes it for an answer, REFUSE fails the call as incomplete."""

    KEEP = "keep"
    REFUSE = "refuse"


class IdempotencyKey(str):
    """Marks the parameter that receives the call's key. A model neither sees nor sets it.

    The key is the same each time one call is tried again, and never the same for two calls.
    """

    __slots__ = ()

    @property
    def run_id(self) -> str:
        """The run that makes the call."""
        return self.partition("-")[0]


class UpstreamRejected(Exception):
    """Raised by a tool: the other side said no, and the call was definitely not applied."""


class UpstreamDown(Exception):
    """Raised by a tool: the other side cannot be reached or does not work.

    Args:
        message: what was seen.
        retry_after: seconds to wait before the next call, if the other side said so.
    """

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UpstreamBusy(UpstreamDown):
    """Raised by a tool: the other side works and has had enough for now, as a 429 says. No breaker counts it."""


@dataclass(frozen=True, slots=True)
class NotApplied:
    """Answer of a `reconcile`: the call did not happen and will not; it is safe to make it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Answer of a `reconcile`: the call happened, and this is what the tool would have returned."""

    result: Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """Answer of a `reconcile`: nobody can tell; a person has to look."""


Reconciled: TypeAlias = NotApplied | Applied | Unknown


def retryable(failure: ToolFailed) -> bool:
    """True when the same call may succeed later: the other side was slow, down or busy.

    It says nothing about whether a second call is harmless; the tool's side effect says that.
    """
    return failure.kind in _RETRYABLE
