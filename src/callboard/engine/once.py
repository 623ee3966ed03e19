"""`once` calls: executed at most once, and never again on suspicion.

The intent is committed first. The call then starts within a window shorter than the lease, or a new intent
must be committed, which the fence refuses if somebody took the run over. When the outcome is unknown, the
tool's reconciliation is asked, but only after the intent, the window and the tool's time limit have
passed: before that, a stalled owner could still be about to call. If that does not tell, a person is asked.
"""

from typing import Any

import msgspec

from callboard.domain.codec import encode
from callboard.domain.errors import Failure, UnknownOutcome
from callboard.domain.event import EventKind
from callboard.engine.attempts import failures
from callboard.engine.branch import Branch
from callboard.engine.calls import Call
from callboard.engine.effect import Attempt, Finding
from callboard.engine.replay import Move, New, Open
from callboard.engine.request import last_intent
from callboard.store.approvals import ApprovalStatus, NewApproval
from callboard.store.journal import Extras
from callboard.store.letter import DECISION, Letter

NO_LIMIT = 60.0  # seconds that a call without a time limit is assumed to take at most, before reconciling


class OnceCall(Call):
    """A call that is never repeated on suspicion."""

    __slots__ = ()

    def settles_first(self, move: Move) -> bool:
        """An open call settles before its run is cancelled."""
        return type(move) is Open

    def begun(self, move: Move) -> bool:
        """One that was cancelled has not happened: in flight it would have settled first."""
        return False

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Commits the intent, calls, and when in doubt finds out."""
        assert isinstance(move, New | Open)
        intent = last_intent(move)
        number = intent.get("attempt", 0)
        branch.shielded = True
        try:
            if type(move) is Open:
                attempt = self.attempt(place, number)
                attempt.failures += failures(move.retries)
                at, settle = move.intents[-1].at / 1e6, intent.get("settle")
                unheard = self._failure(
                    TimeoutError(f"nothing was heard of how {self.name} ended"), attempt.path, False
                )
                return await self._find_out(branch, attempt, at, settle, unheard)
            if self.effect.tool is not None:
                branch.shielded = False
                await self.pause(branch)
                branch.shielded = True
            attempt = self.attempt(place, number + 1)
            if move.retries:
                branch.shielded = False
                attempt.number = len(move.retries) + 1
                attempt.failures += failures(move.retries)
                await self._back_off(branch, move.retries[-1])
                branch.shielded = True
            return await self._call(branch, attempt)
        finally:
            branch.shielded = False

    async def _call(self, branch: Branch, attempt: Attempt, consumed: tuple[int, ...] = ()) -> Any:
        clock, window = self.execution.services.clock, self.execution.services.settings.window
        while True:
            intended = clock.monotonic()
            at = clock.now()
            await self.intend(attempt, extras=Extras(consumed=consumed) if consumed else None)
            if clock.monotonic() - intended < window:
                attempt.start_by = intended + window
                break
            consumed = ()  # too late to start under this intent: this worker was stalled, and may be a zombie
        branch.shielded = False  # not begun: a cancel that came while the intent was written still stops it
        self.execution.check(branch)
        branch.shielded = True
        try:
            body, took = await self.execute(branch, attempt)
        except Failure as failure:
            if not self.effect.doubtful(failure):
                wait = None if self.effect.again is None else self.effect.again(attempt, failure)
                if wait is None:
                    await self.fail(attempt, failure)
                    raise
                return await self._once_more(branch, attempt, failure, wait)
            return await self._find_out(branch, attempt, at, None, failure)
        return await self.done(attempt, body, took)

    async def _once_more(self, branch: Branch, attempt: Attempt, failure: Failure, wait: float) -> Any:
        """Makes a call that surely did not happen, after a while."""
        branch.shielded = False  # nothing is under way while it waits
        await self._back_off(branch, await self.retry(attempt, failure, wait))
        branch.shielded = True
        return await self._call(branch, attempt)

    async def _find_out(self, branch: Branch, attempt: Attempt, at: float, settle: str | None, failure: Failure) -> Any:
        if settle is None and self.effect.reconcile is not None:
            window = self.execution.services.settings.window
            await self.execution.wait(
                branch, None, at + window + (self.effect.timeout or self.effect.bound or NO_LIMIT)
            )
            finding = await self._reconcile(branch, attempt)
            if finding.applied:
                return await self._applied(attempt, finding.result)
            if finding.applied is False:
                failure.detail["made"] = False  # as it is known now
                wait = 0.0 if self.effect.again is None else self.effect.again(attempt, failure)
                if wait is None:
                    await self.fail(attempt, failure)
                    raise failure
                return await self._once_more(branch, attempt, failure, wait)
        if settle is None:
            await self._ask(attempt)
        letter: Letter = await self.execution.wait(branch, f"{DECISION}{attempt.path}", None)
        return await self._decided(branch, attempt, letter)

    async def _reconcile(self, branch: Branch, attempt: Attempt) -> Finding:
        assert self.effect.reconcile is not None
        try:
            return await self.effect.reconcile(attempt.key)
        except Exception:
            return Finding(None)  # a reconciliation that fails knows nothing: a person decides

    async def _ask(self, attempt: Attempt) -> None:
        """Opens the question; the intent that says so makes a replay wait for its answer instead of asking again."""
        services = self.execution.services
        approval_id = services.ids.new()
        proposal = encode(
            {
                "question": f"Did {self.name} happen? Its outcome is unknown, and it must not be done twice.",
                "approve": "it did not happen: do it now",
                "edit": "it happened: the value is its result",
                "reject": "give it up: the flow gets unknown_outcome",
                "call": self.name,
                "arguments": self.effect.asked,
                "key": attempt.key,
            }
        )
        ask = NewApproval(approval_id, attempt.path, "settle", proposal, services.clock.now())
        body = encode(
            {"attempt": attempt.number, "key": attempt.key, "settle": approval_id, "asked": self.effect.asked}
        )
        await self.execution.record(EventKind.INTENT, attempt.path, self.digest, body, 0, Extras(asks=(ask,)))

    async def _decided(self, branch: Branch, attempt: Attempt, letter: Letter) -> Any:
        decision = msgspec.json.decode(letter.body)
        consumed = (letter.seq,)
        if decision["status"] == ApprovalStatus.APPROVED:
            return await self._call(branch, self._next(attempt), consumed)
        if decision["status"] == ApprovalStatus.EDITED:
            return await self._applied(attempt, decision.get("value"), consumed)
        failure = UnknownOutcome(
            f"nobody knows whether {self.name} happened; {decision.get('by', 'a person')} gave it up",
            path=attempt.path,
            detail={"key": attempt.key, "note": decision.get("note")},
        )
        await self.fail(attempt, failure, consumed)
        raise failure

    async def _applied(self, attempt: Attempt, result: Any, consumed: tuple[int, ...] = ()) -> Any:
        try:
            body = self.encoded(result, attempt.path)
        except Failure as failure:
            await self.fail(attempt, failure, consumed)
            raise
        return await self.done(attempt, body, 0, consumed=consumed)

    def _next(self, attempt: Attempt) -> Attempt:
        return Attempt(attempt.number + 1, attempt.key, attempt.path)
