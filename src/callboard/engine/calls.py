"""Effects that execute a function: steps, and what `agents` builds on them (tool calls, model calls).

What an effect does and may do is said in `effect.py`; here it is executed, repeated and journaled.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec

from callboard.domain.bill import FREE, Bill
from callboard.domain.budget import Amount, Refusal
from callboard.domain.codec import clean, encode
from callboard.domain.errors import Failure, StepFailed, TimedOut, Unencodable
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.partial import Partial, revived
from callboard.domain.suspension import Suspension
from callboard.domain.usage import NOTHING, Usage
from callboard.domain.words import words
from callboard.engine.attempts import charged_by, charged_to, failures, key_at, reserved_by, retry_body, spent_by
from callboard.engine.branch import Branch
from callboard.engine.effect import Attempt, Effect, Guard, Outcome, Reservation
from callboard.engine.executing import Executing
from callboard.engine.fleet import LOOK
from callboard.engine.pulse import Pulse
from callboard.engine.replay import Move, New, Open, Recorded
from callboard.engine.request import Request, decode_done, done_body, raised
from callboard.store.journal import Extras, Hold, Settlement
from callboard.telemetry.current import enter, leave

_NONE = Reservation(NOTHING)
_LONGEST_QUEUE = 5.0  # seconds between two asks for a budget that calls in flight may leave room in


class Call(Request):
    """Executes an effect. With `full`, the flow gets an Outcome, else the bare value."""

    __slots__ = ("_begun", "_owed", "effect", "full")

    def __init__(self, execution: Executing, name: str, digest: bytes, effect: Effect, *, full: bool = False) -> None:
        super().__init__(execution, name, digest)
        self.effect = effect
        self.full = full
        self._owed: Reservation | None = None
        self._begun = False

    def begun(self, move: Move) -> bool:
        """True when it was intended or tried: then it may have happened."""
        if type(move) is Recorded:
            return move.begun or bool(move.retries)
        return self._begun or type(move) is Open or (type(move) is New and bool(move.retries))

    def owed(self, move: Move) -> Bill:
        """The reservation of the attempt in flight, or of the one that a process before left open."""
        if self._owed is not None:
            return charged_to(self._owed.note, self._owed.usage)
        return charged_by(move.intents) if type(move) is Open else FREE

    def recall(self, branch: Branch, place: str, move: Recorded) -> Any:
        """The recorded result."""
        event = move.event
        if event.kind is not EventKind.DONE:
            raise raised(branch, event, begun=self.begun(move))
        lost = reserved_by(move.lost) + spent_by(move.retries) if move.lost or move.retries else NOTHING
        return self._value(decode_done(event.body).result, event.path, event.at / 1e6, event.took, lost)

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Executes the effect under its guard, with its retries, and journals what came of it."""
        effect = self.effect
        assert isinstance(move, New | Open)
        attempt = self.attempt(place, len(move.retries) + 1)
        if effect.tool is not None:
            await self.pause(branch)
        lost, charge = NOTHING, FREE
        doubt = type(move) is Open or bool(move.retries)
        if doubt or move.lost:  # it was begun before
            intents = move.intents if type(move) is Open else ()
            lost = reserved_by(move.lost + intents) + spent_by(move.retries)
            charge = charged_by(intents)  # the ones before were charged when they were repeated
            attempt.failures += failures(move.retries)
            attempt.spent, attempt.resumed = lost, type(move) is Open
        if move.retries:
            await self._back_off(branch, move.retries[-1])
        if effect.guard is Guard.KEYED and type(move) is New:
            await self.intend(attempt)
        while True:
            try:
                found = None if effect.known is None else await self._outside(branch, effect.known(attempt))
                if found is not None:
                    return await self.done(attempt, self.encoded(found, attempt.path), 0, lost=lost, charge=charge)
                if effect.reserve is not None:
                    attempt.reservation = await self._outside(branch, effect.reserve(attempt))
                    retry = await self._reserve(attempt, charge)
                    charge = FREE
                    if retry is not None:
                        await self._back_off(branch, retry)
                        continue
                body, took = await self.execute(branch, attempt)
            except Failure as failure:
                spent = self._spent(attempt, failure)
                lost, self._owed = lost + spent.usage, _NONE
                attempt.spent, attempt.resumed = lost, False
                wait = None if failure.detail.get("refused") else self.again(attempt, failure)
                if effect.guard is Guard.KEYED and doubt and wait is None:
                    failure.detail["doubt"] = True  # whatever this attempt says, one before it may have been applied
                doubt = doubt or not failure.unmade
                if wait is None:
                    await self.fail(attempt, failure, spent=spent, charge=charge)
                    raise
                await self._back_off(branch, await self.retry(attempt, failure, wait, spent))
                continue
            return await self.done(attempt, body, took, lost=lost)

    async def execute(self, branch: Branch, attempt: Attempt) -> tuple[bytes, int]:
        """Calls the function once; returns the encoded result and the microseconds it took. Raises Failure."""
        effect, services = self.effect, self.execution.services
        self.execution.check(branch)
        clock = services.clock
        begun = clock.monotonic()
        branch.calling = True
        attached = enter(attempt.path, attempt.number)
        pulse = None if effect.heartbeat is None else self._pulse(attempt, effect.heartbeat)
        limit = branch.limit
        try:
            with limit.of(branch.task, effect.timeout):
                result = await (effect.run(attempt) if pulse is None else pulse.watch(lambda: effect.run(attempt)))
            body, took = self.encoded(result, attempt.path), clock.monotonic() - begun
            services.metrics.effects[effect.sort].add(took)
            return body, int(took * 1e6)
        except (Suspension, GeneratorExit, KeyboardInterrupt):
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise self._failure(error, attempt.path, False) from error  # the function cancelled itself
        except BaseException as error:
            silent = pulse is not None and pulse.stopped
            attempt.took = int((clock.monotonic() - begun) * 1e6)
            failure = self._failure(error, attempt.path, limit.expired, silent=silent)
            services.metrics.failure(failure.kind, effect.sort)
            raise failure from error
        finally:
            leave(attached)
            branch.calling = False

    def attempt(self, place: str, number: int) -> Attempt:
        """An attempt at the effect at this place."""
        key = self.effect.key or key_at(self.execution, place)
        return Attempt(number, key, f"{place}:{self.name}")

    def again(self, attempt: Attempt, failure: Failure) -> float | None:
        """Seconds to wait before the next attempt, None to give up."""
        effect = self.effect
        if effect.again is not None:
            return effect.again(attempt, failure)
        if attempt.number >= effect.retry.attempts or not effect.retryable(failure):
            return None
        wait = effect.retry.wait(attempt.number, self.execution.services.chance.random())
        after = failure.detail.get("retry_after")
        return max(wait, float(after)) if isinstance(after, int | float) else wait

    async def retry(self, attempt: Attempt, failure: Failure, wait: float, spent: Bill = FREE) -> Event:
        """Journals that an attempt failed and when the next one is due, and makes the attempt the next one."""
        due = self.execution.services.clock.now() + wait
        failure.detail.update(attempt.about or {})
        body = encode(retry_body(attempt, failure, due, spent.usage))
        extras = self._settling(attempt, spent)
        took, attempt.took = attempt.took, 0
        attempt.failures.append(failure.record())
        attempt.number += 1
        attempt.reservation = attempt.about = None
        await self.execution.record(EventKind.RETRY, attempt.path, self.digest, body, took, extras)
        return Event(0, EventKind.RETRY, attempt.path, self.digest, 0, 0, body)

    async def pause(self, branch: Branch) -> None:
        """Waits while operators have paused the tool."""
        services = self.execution.services
        while services.fleet.pauses(self.effect.tool or ""):
            await self.execution.wait(branch, None, services.clock.now() + LOOK)

    def intend(
        self, attempt: Attempt, *, charge: Bill = FREE, extras: Extras | None = None
    ) -> Awaitable[Refusal | None]:
        """Journals that the effect is about to be executed; charges what an attempt before reserved and lost."""
        effect, reservation = self.effect, attempt.reservation
        body: dict[str, Any] = {"attempt": attempt.number}
        if effect.guard is not Guard.REPEAT:
            body["key"] = attempt.key
        if effect.asked is not None:
            body["asked"] = effect.asked
        hold: Hold | None = None
        if reservation is not None:
            body["reserved"] = reservation.usage
            if reservation.note is not None:
                body["note"] = reservation.note
            if reservation.charges:
                amount = _amount(reservation.usage, int(reservation.seconds * 1000))
                hold = Hold(attempt.path, reservation.charges, amount, self._refusing(attempt, charge))
        if charge is not FREE or hold is not None:
            extras = Extras(bills=_bills(charge), hold=hold)
        self._begun = True
        return self.execution.record(EventKind.INTENT, attempt.path, self.digest, encode(body), 0, extras)

    async def done(
        self,
        attempt: Attempt,
        body: bytes,
        took: int,
        *,
        lost: Usage = NOTHING,
        charge: Bill = FREE,
        consumed: tuple[int, ...] = (),
    ) -> Any:
        """Journals a result and returns it as a replay would."""
        execution, effect = self.execution, self.effect
        stored = done_body(body, effect.asked if effect.guard is Guard.REPEAT else None, attempt.about)
        result = decode_done(stored).result
        extras = None
        if consumed or effect.bill is not None:
            bill = effect.bill(result) if effect.bill else FREE
            settled = Settlement(attempt.path, _amount(bill.usage, took // 1000)) if self._holds(attempt) else None
            if charge is not FREE:
                settled = Settlement(attempt.path, None)  # what an attempt before this one still holds
            extras = Extras(consumed=consumed, settled=settled, bills=_bills(bill, charge))
        at = execution.services.clock.now()
        await execution.record(EventKind.DONE, attempt.path, self.digest, stored, took, extras)
        return self._value(result, attempt.path, at, took, lost)

    async def fail(
        self,
        attempt: Attempt,
        failure: Failure,
        consumed: tuple[int, ...] = (),
        *,
        spent: Bill = FREE,
        charge: Bill = FREE,
    ) -> None:
        """Journals a failure, unless the refusal of its reservation has done so already. `charge` is what an attempt
        before this one reserved and lost."""
        if failure.detail.get("refused"):
            return
        failure.detail.update(attempt.about or {})
        extras = self._settling(attempt, spent)
        if charge is not FREE:
            extras = Extras(settled=Settlement(attempt.path, None), bills=_bills(spent, charge))
        if consumed:
            extras = msgspec.structs.replace(extras or Extras(), consumed=consumed)
        body, took = encode(failure.record()), attempt.took
        await self.execution.record(EventKind.FAILED, attempt.path, self.digest, body, took, extras)

    async def _outside(self, branch: Branch, work: Awaitable[Any]) -> Any:
        """Awaits something of the effect's that is not its execution; whatever it raises is the attempt's failure."""
        branch.calling = True
        try:
            return await work
        except (Suspension, GeneratorExit, KeyboardInterrupt, asyncio.CancelledError, Failure):
            raise
        except BaseException as error:
            raise self._failure(error, "", False) from error
        finally:
            branch.calling = False

    async def _reserve(self, attempt: Attempt, charge: Bill) -> Event | None:
        """Journals the intent with its reservation; the retry that stands in its place while there is no room."""
        assert attempt.reservation is not None
        refusal = await self.intend(attempt, charge=charge)
        if refusal is None:
            self._owed = attempt.reservation
            return None
        self._owed = _NONE
        self.execution.kept = None  # another event stands in the journal than was handed in
        failure = self.effect.refused(refusal)
        failure.path = attempt.path
        attempt.reservation = None
        services = self.execution.services
        scope = refusal.charge.account.partition(":")[0].partition("@")[0]
        services.metrics.budget_refusals[scope] += 1
        if refusal.final:
            failure.detail["refused"] = True
            services.metrics.failure(failure.kind, self.effect.sort)
            raise failure
        body = encode(self._waiting(attempt, failure, charge))
        attempt.failures.append(failure.record())
        attempt.number += 1
        return Event(0, EventKind.RETRY, attempt.path, self.digest, 0, 0, body)

    def _refusing(self, attempt: Attempt, charge: Bill) -> Any:
        """Makes the event that the store writes in place of an intent for which there is no room."""

        def event(intent: Event, refusal: Refusal) -> Event:
            failure = self.effect.refused(refusal)
            failure.path = attempt.path
            if refusal.final:
                failure.detail["refused"] = True
                return msgspec.structs.replace(intent, kind=EventKind.FAILED, body=encode(failure.record()))
            return msgspec.structs.replace(
                intent, kind=EventKind.RETRY, body=encode(self._waiting(attempt, failure, charge, intent.at / 1e6))
            )

        return event

    def _waiting(self, attempt: Attempt, failure: Failure, charge: Bill, now: float | None = None) -> dict[str, Any]:
        """A retry that comes soon, and later the longer it has waited."""
        at = self.execution.services.clock.now() if now is None else now
        waited = sum(1 for each in attempt.failures if each.kind == failure.kind)
        return retry_body(attempt, failure, at + min(0.05 * 2**waited, _LONGEST_QUEUE), charge.usage)

    def _holds(self, attempt: Attempt) -> bool:
        return attempt.reservation is not None and bool(attempt.reservation.charges)

    def _spent(self, attempt: Attempt, failure: Failure) -> Bill:
        reservation = attempt.reservation
        if reservation is None:
            return FREE
        return charged_to(reservation.note, self.effect.spent(failure, reservation.usage))

    def _settling(self, attempt: Attempt, spent: Bill) -> Extras | None:
        settled = Settlement(attempt.path, _amount(spent.usage, 0)) if self._holds(attempt) else None
        return None if settled is None and spent is FREE else Extras(settled=settled, bills=_bills(spent))

    def _value(self, result: Any, path: str, at: float, took: int, lost: Usage) -> Any:
        shape = self.effect.shape
        value = revived(result)
        if shape is not None and not isinstance(value, Partial):
            value = shape.load(value, trusted=True)
        return Outcome(value, at, took / 1e6, lost, path) if self.full else value

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

    async def _back_off(self, branch: Branch, retry: Event) -> None:
        await self.execution.wait(branch, None, retry.value()["due"])


def _bills(*bills: Bill) -> tuple[Bill, ...]:
    return tuple([bill for bill in bills if bill is not FREE])


def _amount(usage: Usage, millis: int) -> Amount:
    return Amount(usage.cost, usage.tokens, 1, millis)
