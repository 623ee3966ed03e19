"""What an effect that executes a function does, and how it may fail.

What is journaled before, and what happens when an intent has no outcome, depends on the guard:

- REPEAT: nothing before (or a reservation); after a crash it is executed again.
- KEYED: an intent with an idempotency key; after a crash it is executed again with the same key.
- ONCE: an intent; after a crash, a time-out or any error that leaves doubt it is never executed again on
  suspicion: `once.py` finds out what happened.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from callboard.domain.bill import Bill
from callboard.domain.budget import Charge, Refusal
from callboard.domain.errors import Failure
from callboard.domain.heartbeat import Heartbeat
from callboard.domain.kinds import ErrorRecord
from callboard.domain.retry import NEVER, Retry
from callboard.domain.usage import NOTHING, Usage


class Guard(StrEnum):
    """What is journaled before an effect is executed, and what an open intent means."""

    REPEAT = "repeat"
    KEYED = "keyed"
    ONCE = "once"


class Loads(Protocol):
    """Makes the value that a flow gets from the JSON value that is stored."""

    def load(self, value: Any, *, trusted: bool = False) -> Any:
        """The value. What we stored ourselves is trusted."""
        ...


class Attempt(msgspec.Struct, eq=False):
    """One execution of an effect: its number from 1, and the idempotency key, the same for each attempt.

    `heartbeat` is there when the effect has a heartbeat limit. `failures` are those of the attempts before it, the
    same after a crash. `reservation` is what was reserved for it. `spent` is what the attempts before it were charged,
    `resumed` says that the last was cut off with its process. `start_by`, for ONCE, is the time by the monotonic
    clock at which it is too late to begin. `about` is JSON-like: what was unusual about it, journaled with its outcome
    to be shown. `took` is how long the function was executed that failed, in microseconds.
    """

    number: int
    key: str
    path: str
    failures: list[ErrorRecord] = []
    heartbeat: Heartbeat | None = None
    reservation: "Reservation | None" = None
    spent: Usage = NOTHING
    resumed: bool = False
    start_by: float | None = None
    took: int = 0
    about: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one attempt may cost, journaled in its intent and charged in full if its outcome never comes.

    Attributes:
        usage: tokens and money, on the safe side.
        charges: the accounts that must have room for it; all of them or the attempt is refused.
        seconds: how long it may take.
        note: JSON-like: what was decided for this attempt and why. `agent` and `model` in it are who is charged when
            the attempt has no result.
    """

    usage: Usage
    charges: tuple[Charge, ...] = ()
    seconds: float = 0.0
    note: Any = None


def _nothing(failure: Failure, reserved: Usage) -> Usage:
    return NOTHING


def _no_room(refusal: Refusal) -> Failure:
    raise AssertionError("an effect with charges says what a refusal is")


class Effect(msgspec.Struct, eq=False):
    """What a call does and how it may fail.

    Attributes:
        run: executes it once.
        failure: the failure to journal for an exception; None re-raises it as a step's failure.
        doubtful: for ONCE: True when a failure leaves open whether the effect happened.
        again: seconds to wait before the next attempt after a failure, None to give up; by default what `retry`,
            `retryable` and the failure's `retry_after` say. ONCE asks it only for failures that are not doubtful.
        asked: what to show about the request, where nothing else in the journal says it.
        known: the result without executing anything, None if there is none; asked before each attempt.
        reserve: prepares an attempt: what to reserve for it. A failure that it raises is that attempt's.
        refused: the failure of a reservation for which there will be no room.
        spent: what a failed attempt cost, given what it had reserved.
        bill: what a result cost, and whom it is charged to.
        bound: for ONCE: seconds that a call takes at most, where `run` keeps the limit itself.
        reconcile: for ONCE: finds out by key what happened; returns a `Finding`.
        heartbeat: seconds between two beats of `run` at most.
        tool: the name under which operators may pause it.
        sort: what it is counted as: model, tool or step.
        key: its idempotency key; by default one made of the run and its place.
    """

    run: Callable[[Attempt], Awaitable[Any]]
    guard: Guard = Guard.REPEAT
    timeout: float | None = None
    bound: float | None = None
    retry: Retry = NEVER
    retryable: Callable[[Failure], bool] = lambda failure: True
    failure: Callable[[BaseException, str], Failure] | None = None
    doubtful: Callable[[Failure], bool] = lambda failure: True
    again: Callable[[Attempt, Failure], float | None] | None = None
    asked: Any = None
    known: Callable[[Attempt], Awaitable[Any]] | None = None
    reserve: Callable[[Attempt], Awaitable[Reservation]] | None = None
    refused: Callable[[Refusal], Failure] = _no_room
    spent: Callable[[Failure, Usage], Usage] = _nothing
    bill: Callable[[Any], Bill] | None = None
    reconcile: Callable[[str], Awaitable["Finding"]] | None = None
    shape: Loads | None = None
    limit: int | None = None
    heartbeat: float | None = None
    tool: str | None = None
    sort: str = "step"
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reconciliation found: `applied` with its result, not applied, or None for unknown."""

    applied: bool | None
    result: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result with what the journal says about it: when it was recorded (epoch seconds), how long it took (seconds),
    and what the attempts before it were charged, those that failed and those that never came back."""

    value: Any
    at: float
    took: float
    lost: Usage = NOTHING
    path: str = ""
