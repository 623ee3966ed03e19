"""Undoing one thing that a saga has done: tried so often, and once more after the others; then a person is asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from callboard.domain.codec import digest, encode
from callboard.domain.errors import CompensationFailed, Failure
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.retry import Retry
from callboard.engine.attempts import failures
from callboard.engine.branch import Branch
from callboard.engine.calls import Call
from callboard.engine.effect import Attempt, Effect, Guard
from callboard.engine.executing import Executing
from callboard.engine.replay import Move, New, Open
from callboard.engine.request import last_intent
from callboard.store.approvals import ApprovalStatus, NewApproval
from callboard.store.journal import Extras
from callboard.store.letter import DECISION, Letter


@dataclass(frozen=True, slots=True)
class Done:
    """What a compensation is told about the call that it undoes.

    Attributes:
        key: the compensation's own idempotency key, the same each time it is tried.
        original_key: the key of the call that it undoes.
        result: what that call returned; None when nobody knows whether it happened.
    """

    key: str
    original_key: str
    result: Any = None


@dataclass(frozen=True, slots=True)
class Undoing:
    """How to undo one call.

    Attributes:
        name: how the journal names what is undone.
        run: undoes it.
        asked: the arguments of the call, JSON-like, as the journal and people are to see them.
        timeout: seconds for one attempt; None when `run` keeps a limit by itself.
    """

    name: str
    run: Callable[[Done, Attempt], Awaitable[Any]]
    asked: Any
    timeout: float | None


class Undo(Call):
    """Executes a compensation, again and again with the same key.

    With `last`, one that failed once more waits for a person, who may have another round tried. It settles before its
    run is cancelled: what has to be undone is undone in any case.
    """

    __slots__ = ("last",)

    def __init__(
        self,
        execution: Executing,
        undoing: Undoing,
        done: Done,
        path: str,
        retry: Retry,
        because: dict[str, Any],
        *,
        last: bool,
    ) -> None:
        async def run(attempt: Attempt) -> None:
            await undoing.run(done, attempt)

        asked = {"undoes": path, "key": done.original_key, "arguments": undoing.asked, "because": because}
        effect = Effect(run, guard=Guard.KEYED, timeout=undoing.timeout, retry=retry, asked=asked, key=done.key)
        super().__init__(execution, f"undo {undoing.name}", digest(path, undoing.asked), effect)
        self.last = last

    def settles_first(self, move: Move) -> bool:
        """Never refused because of a cancel."""
        return True

    def again(self, attempt: Attempt, failure: Failure) -> float | None:
        """Seconds until the next attempt of this round; None when the round is over."""
        retry = self.effect.retry
        tried = (attempt.number - 1) % retry.attempts + 1
        if tried == retry.attempts or failure.kind is ErrorKind.UPSTREAM_REJECTED:
            return None
        wait = retry.wait(tried, self.execution.services.chance.random())
        after = failure.detail.get("retry_after")
        return max(wait, float(after)) if isinstance(after, int | float) else wait

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Undoes it, or fails; with `last`, only with CompensationFailed when a person has given it up."""
        assert isinstance(move, New | Open)
        branch.shielded = True
        try:
            return await self._settle(branch, place, move)
        finally:
            branch.shielded = False

    async def _settle(self, branch: Branch, place: str, move: New | Open) -> Any:
        intent = last_intent(move)
        attempt = self.attempt(place, intent.get("attempt", self.effect.retry.attempts if self.last else 1))
        attempt.failures += failures(move.retries)
        asked = bool(intent.get("settle"))
        if type(move) is New:
            if move.retries:
                attempt.number = move.retries[-1].value()["attempt"] + 1
                await self._back_off(branch, move.retries[-1])
            await self.intend(attempt)
        while True:
            if not asked:
                try:
                    body, took = await self.execute(branch, attempt)
                except Failure as failure:
                    wait = self.again(attempt, failure)
                    if wait is not None:
                        await self._back_off(branch, await self.retry(attempt, failure, wait))
                        continue
                    if not self.last:
                        await self.fail(attempt, failure)
                        raise
                    await self._ask(attempt, failure)
                else:
                    return await self.done(attempt, body, took)
            letter: Letter = await self.execution.wait(branch, f"{DECISION}{attempt.path}", None)
            decision, consumed, asked = msgspec.json.decode(letter.body), (letter.seq,), False
            if decision["status"] == ApprovalStatus.EDITED:
                return await self.done(attempt, b"null", 0, consumed=consumed)
            if decision["status"] != ApprovalStatus.APPROVED:
                raise await self._given_up(attempt, decision, consumed)
            attempt.number += -attempt.number % self.effect.retry.attempts + 1  # the first of the next round
            await self.intend(attempt, extras=Extras(consumed=consumed))

    async def _ask(self, attempt: Attempt, failure: Failure) -> None:
        """Opens the question; the intent that says so makes a replay wait for its answer instead of trying again."""
        services, asked = self.execution.services, self.effect.asked
        approval_id = services.ids.new()
        proposal = {
            "question": f"{self.name} failed for good: {failure}. What it was to undo still stands.",
            "approve": "try it again",
            "edit": "it has been undone by hand",
            "reject": "give it up: what was done stays, and the run ends with compensation_failed",
            "call": self.name,
            "arguments": asked["arguments"],
            "key": asked["key"],
        }
        ask = NewApproval(approval_id, attempt.path, "settle", encode(proposal), services.clock.now())
        body = {
            "attempt": attempt.number,
            "key": attempt.key,
            "settle": approval_id,
            "error": failure.record(),
            "asked": asked,
        }
        await self.execution.record(EventKind.INTENT, attempt.path, self.digest, encode(body), 0, Extras(asks=(ask,)))

    async def _given_up(self, attempt: Attempt, decision: dict[str, Any], consumed: tuple[int, ...]) -> Failure:
        asked = self.effect.asked
        by, note = decision.get("by", "a person"), decision.get("note")
        left = {"undo": self.name, "of": asked["undoes"], "arguments": asked["arguments"], "key": asked["key"]}
        failure = CompensationFailed(
            f"{self.name} failed, and {by} gave it up",
            path=attempt.path,
            detail={"left": [left], "note": note},
        )
        await self.fail(attempt, failure, consumed)
        return failure
