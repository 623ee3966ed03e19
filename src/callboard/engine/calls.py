"""Effects that execute a function: steps, and what `agents` builds on them (tool calls, model calls).

What is journaled before, and what happens when an intent has no outcome, depends on the guard:

- REPEAT: nothing before (or a reservation); after a crash it is executed again.
- KEYED: an intent with an idempotency key; after a crash it is executed again with the same key.
- ONCE: an intent; after a crash, a time-out or any error that leaves doubt it is never executed again on
  suspicion: `once.py` finds out what happened.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from callboard.domain.codec import clean, encode
from callboard.domain.errors import (
    Failure,
    StepFailed,
    TimedOut,
    Unencodable,
)
from callboard.domain.event import Event, EventKind
from callboard.domain.heartbeat import Heartbeat
from callboard.domain.kinds import ErrorKind
from callboard.domain.retry import NEVER, Retry
from callboard.domain.suspension import Suspension
from callboard.domain.usage import NOTHING, Usage
from callboard.domain.words import words
from callboard.engine.branch import Branch
from callboard.engine.executing import Executing
from callboard.engine.fleet import LOOK
from callboard.engine.pulse import Pulse
from callboard.engine.replay import Move, New, Open, Recorded
from callboard.engine.request import Request, decode_done, done_body, raised
from callboard.store.journal import Extras


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


class Attempt:
    """One execution of an effect: its number from 1, and the idempotency key, the same for each attempt.

    `heartbeat` is there when the effect has a heartbeat limit.
    """

    __slots__ = ("heartbeat", "key", "number", "path")

    def __init__(self, number: int, key: str, path: str) -> None:
        self.number = number
        self.key = key
        self.path = path
        self.heartbeat: Heartbeat | None = None


@dataclass(slots=True)
class Effect:
    """What a call does and how it may fail.

    Attributes:
        run: executes it once.
        failure: the failure to journal for an exception; None re-raises it as a step's failure.
        doubtful: for ONCE: True when a failure leaves open whether the effect happened.
        asked: what to show about the request, where nothing else in the journal says it.
        reserve: usage to charge if the outcome never comes; journaled as an intent before each attempt.
        usage: what a result cost.
        bound: for ONCE: seconds that a call takes at most, where `run` keeps the limit itself.
        reconcile: for ONCE: finds out by key what happened; returns a `Finding`.
        heartbeat: seconds between two beats of `run` at most.
        tool: the name under which operators may pause it.
    """

    run: Callable[[Attempt], Awaitable[Any]]
    guard: Guard = Guard.REPEAT
    timeout: float | None = None
    bound: float | None = None
    retry: Retry = NEVER
    retryable: Callable[[Failure], bool] = lambda failure: True
    failure: Callable[[BaseException, str], Failure] | None = None
    doubtful: Callable[[Failure], bool] = lambda failure: True
    asked: Any = None
    reserve: Usage | None = None
    usage: Callable[[Any], Usage] | None = None
    reconcile: Callable[[str], Awaitable["Finding"]] | None = None
    shape: Loads | None = None
    limit: int | None = None
    heartbeat: float | None = None
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reconciliation found: `applied` with its result, not applied, or None for unknown."""

    applied: bool | None
    result: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result with what the journal says about it: when it was recorded (epoch seconds), how long it took (seconds),
    and what attempts that never came back were charged."""

    value: Any
    at: float
    took: float
    lost: Usage = NOTHING
    path: str = ""


class Call(Request):
    """Executes an effect. With `full`, the flow gets an Outcome, else the bare value."""

    __slots__ = ("_owed", "effect", "full")

    def __init__(self, execution: Executing, name: str, digest: bytes, effect: Effect, *, full: bool = False) -> None:
        super().__init__(execution, name, digest)
        self.effect = effect
        self.full = full
        self._owed: Usage | None = None

    def owed(self, move: Move) -> Usage:
        """The reservation of the attempt in flight, or of the one that a process before left open."""
        if self._owed is not None:
            return self._owed
        return _reserved(move.intents[-1:]) if type(move) is Open else NOTHING

    def recall(self, branch: Branch, place: str, move: Recorded) -> Any:
        """The recorded result."""
        event = move.event
        if event.kind is not EventKind.DONE:
            raise raised(branch, event)
        lost = _reserved(move.lost) if move.lost else NOTHING
        return self._value(decode_done(event.body).result, event, lost)

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Executes the effect under its guard, with its retries, and journals what came of it."""
        effect = self.effect
        assert isinstance(move, New | Open)
        attempt = self.attempt(place, len(move.retries) + 1)
        if effect.tool is not None:
            await self.pause(branch)
        intents = move.intents if type(move) is Open else ()
        lost = _reserved(move.lost + intents)
        charge = _reserved(intents[-1:])  # the ones before were charged when they were repeated
        if move.retries:
            await self._back_off(branch, move.retries[-1])
        if effect.guard is Guard.KEYED and type(move) is New:
            await self.intend(attempt)
        while True:
            if effect.reserve is not None:
                await self.intend(attempt, charge=charge)
                charge, self._owed = NOTHING, effect.reserve
            try:
                body, took = await self.execute(branch, attempt)
            except Failure as failure:
                self._owed = NOTHING
                if attempt.number >= effect.retry.attempts or not effect.retryable(failure):
                    await self.fail(attempt, failure)
                    raise
                await self._back_off(branch, await self._retry(attempt, failure))
                attempt.number += 1
                continue
            return await self.done(attempt, body, took, lost=lost)

    async def execute(self, branch: Branch, attempt: Attempt) -> tuple[bytes, int]:
        """Calls the function once; returns the encoded result and the microseconds it took. Raises Failure."""
        effect = self.effect
        self.execution.check(branch)
        clock = self.execution.services.clock
        begun = clock.monotonic()
        branch.calling = True
        timer = asyncio.timeout(effect.timeout)
        pulse = None if effect.heartbeat is None else self._pulse(attempt, effect.heartbeat)
        try:
            async with timer:
                result = await (effect.run(attempt) if pulse is None else pulse.watch(lambda: effect.run(attempt)))
            return self.encoded(result, attempt.path), int((clock.monotonic() - begun) * 1e6)
        except (Suspension, GeneratorExit, KeyboardInterrupt):
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise self._failure(error, attempt.path, False) from error  # the function cancelled itself
        except BaseException as error:
            silent = pulse is not None and pulse.stopped
            raise self._failure(error, attempt.path, timer.expired(), silent=silent) from error
        finally:
            branch.calling = False

    def attempt(self, place: str, number: int) -> Attempt:
        """An attempt at the effect at this place."""
        base = self.execution.base  # a run that began anew uses its places again, but never its keys
        place_digest = hashlib.blake2b((f"{base}!{place}" if base else place).encode(), digest_size=8).hexdigest()
        return Attempt(number, f"{self.execution.run.id}-{place_digest}", f"{place}:{self.name}")

    async def pause(self, branch: Branch) -> None:
        """Waits while operators have paused the tool."""
        services = self.execution.services
        while services.fleet.pauses(self.effect.tool or ""):
            await self.execution.wait(branch, None, services.clock.now() + LOOK)

    def intend(self, attempt: Attempt, *, charge: Usage = NOTHING, extras: Extras | None = None) -> Awaitable[None]:
        """Journals that the effect is about to be executed; charges what an attempt before reserved and lost."""
        effect = self.effect
        body: dict[str, Any] = {"attempt": attempt.number}
        if effect.guard is not Guard.REPEAT:
            body["key"] = attempt.key
        if effect.asked is not None:
            body["asked"] = effect.asked
        if effect.reserve is not None:
            body["reserved"] = effect.reserve
        if charge is not NOTHING:
            extras = Extras(spent=charge)
        return self.execution.record(EventKind.INTENT, attempt.path, self.digest, encode(body), 0, extras)

    async def done(
        self, attempt: Attempt, body: bytes, took: int, *, lost: Usage = NOTHING, consumed: tuple[int, ...] = ()
    ) -> Any:
        """Journals a result and returns it as a replay would."""
        execution, effect = self.execution, self.effect
        stored = done_body(body, effect.asked if effect.guard is Guard.REPEAT else None)
        result = decode_done(stored).result
        extras = None
        if consumed or effect.usage is not None:
            extras = Extras(consumed=consumed, spent=effect.usage(result) if effect.usage else None)
        at = int(execution.services.clock.now() * 1e6)
        await execution.record(EventKind.DONE, attempt.path, self.digest, stored, took, extras)
        return self._value(result, Event(0, EventKind.DONE, attempt.path, self.digest, at, took, stored), lost)

    async def fail(self, attempt: Attempt, failure: Failure, consumed: tuple[int, ...] = ()) -> None:
        """Journals a failure."""
        extras = Extras(consumed=consumed) if consumed else None
        await self.execution.record(EventKind.FAILED, attempt.path, self.digest, encode(failure.record()), 0, extras)

    def _value(self, result: Any, event: Event, lost: Usage) -> Any:
        shape = self.effect.shape
        value = result if shape is None else shape.load(result, trusted=True)
        return Outcome(value, event.at / 1e6, event.took / 1e6, lost, event.path) if self.full else value

    def encoded(self, result: Any, path: str) -> bytes:
        """A result as it is stored. Raises StepFailed when it cannot be stored or is too large."""
        limit = self.effect.limit or self.execution.services.settings.payload
        try:
            body = encode(result, f"the result of {self.name}")
        except Unencodable as error:
            raise StepFailed(str(error), kind=ErrorKind.MALFORMED_RESULT, path=path) from error
        if len(body) > limit:
            raise StepFailed(
                f"the result of {self.name} has {len(body):,} bytes, the limit is {limit:,}",
                kind=ErrorKind.MALFORMED_RESULT,
                path=path,
                remedy="return less, or a reference to where it is kept",
            )
        return body

    def _pulse(self, attempt: Attempt, limit: float) -> Pulse:
        place = attempt.path.partition(":")[0]
        pulse = Pulse(self.execution, attempt.path, self.digest, limit, self.execution.replay.beat(place))
        attempt.heartbeat = pulse.heartbeat
        return pulse

    def _silence(self) -> TimeoutError:
        return TimeoutError(f"{self.name} has not shown a sign of life for {self.effect.heartbeat:g} s")

    def _failure(self, error: BaseException, path: str, late: bool, *, silent: bool = False) -> Failure:
        if silent:
            error = self._silence()
        if self.effect.failure is not None:
            failure = self.effect.failure(error, path)
        elif isinstance(error, Failure):
            failure = error
        elif silent:
            failure = TimedOut(str(error), path=path)
        elif late:
            failure = TimedOut(f"{self.name} reached its time limit of {self.effect.timeout:g} s", path=path)
        else:
            kind = type(error).__name__
            failure = StepFailed(clean(f"{self.name} raised {kind}: {words(error)}"), path=path, detail={"type": kind})
        failure.path = path
        return failure

    async def _retry(self, attempt: Attempt, failure: Failure) -> Event:
        execution = self.execution
        wait = self.effect.retry.wait(attempt.number, execution.services.chance.random())
        after = failure.detail.get("retry_after")
        if isinstance(after, int | float):
            wait = max(wait, float(after))
        due = execution.services.clock.now() + wait
        body = encode({"attempt": attempt.number, "due": due, "error": failure.record()})
        await execution.record(EventKind.RETRY, attempt.path, self.digest, body)
        return Event(0, EventKind.RETRY, attempt.path, self.digest, 0, 0, body)

    async def _back_off(self, branch: Branch, retry: Event) -> None:
        await self.execution.wait(branch, None, retry.value()["due"])


def _reserved(intents: tuple[Event, ...]) -> Usage:
    """What the intents had reserved, together."""
    total = NOTHING
    for intent in intents:
        body = intent.value()
        if "reserved" in body:
            total += msgspec.convert(body["reserved"], Usage)
    return total
