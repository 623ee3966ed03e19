"""Effects that wait: for a time, a signal, a person. Each journals first what it waits for."""

from typing import Any

import msgspec

from callboard.domain.codec import encode
from callboard.domain.errors import Failure, TimedOut
from callboard.domain.event import Event, EventKind
from callboard.engine.branch import Branch
from callboard.engine.executing import Executing
from callboard.engine.replay import Move, New
from callboard.engine.request import Interrupted, Request, done_body, last_intent
from callboard.engine.shape import Shape
from callboard.store.approvals import ApprovalStatus, NewApproval
from callboard.store.journal import Extras
from callboard.store.letter import DECISION, SIGNAL, Letter


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person decided about a proposal.

    Attributes:
        status: approved, rejected, edited or expired (nobody decided before the deadline).
        value: the proposal as it was approved, or as the person edited it.
        by: who decided.
        note: what they said about it.
    """

    status: ApprovalStatus
    value: Any = None
    by: str = ""
    note: str = ""

    @property
    def approved(self) -> bool:
        """True when the proposal, or an edited form of it, may go ahead."""
        return self.status in (ApprovalStatus.APPROVED, ApprovalStatus.EDITED)


class Waiting(Request):
    """What all waits share: an intent that fixes what is waited for, and an outcome that consumes the letter."""

    __slots__ = ()

    async def intend(
        self, place: str, move: Move, body: dict[str, Any], extras: Extras | None = None
    ) -> dict[str, Any]:
        """Journals the intent unless it stands; returns it as it stands."""
        if type(move) is not New:
            return last_intent(move)
        await self.execution.record(EventKind.INTENT, f"{place}:{self.name}", self.digest, encode(body), 0, extras)
        return body

    async def done(self, place: str, result: bytes, letter: Letter | None = None) -> Any:
        """Journals the outcome and returns it as a replay would."""
        path, body = f"{place}:{self.name}", done_body(result)
        extras = Extras(consumed=(letter.seq,)) if letter is not None else None
        await self.execution.record(EventKind.DONE, path, self.digest, body, 0, extras)
        return self.load(msgspec.json.decode(result), Event(0, EventKind.DONE, path, self.digest, 0, 0, body))

    async def fail(self, place: str, failure: Failure, letter: Letter | None = None) -> Failure:
        """Journals a failure and returns it."""
        path = failure.path = f"{place}:{self.name}"
        extras = Extras(consumed=(letter.seq,)) if letter is not None else None
        await self.execution.record(EventKind.FAILED, path, self.digest, encode(failure.record()), 0, extras)
        return failure


class Sleep(Waiting):
    """Waits for a time. `until` is in epoch seconds; None: `seconds` from now."""

    __slots__ = ("seconds", "until")

    def __init__(self, execution: Executing, seconds: float, until: float | None = None) -> None:
        super().__init__(execution, "sleep")
        self.seconds = seconds
        self.until = until

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Waits, in memory or parked."""
        due = self.execution.services.clock.now() + self.seconds if self.until is None else self.until
        intent = await self.intend(place, move, {"due": due})
        await self.execution.wait(branch, None, intent["due"])
        return await self.done(place, b"null")


class Signal(Waiting):
    """Waits for a signal, `seconds` at most."""

    __slots__ = ("seconds", "shape", "signal")

    def __init__(self, execution: Executing, signal: str, seconds: float | None, shape: Shape | None) -> None:
        super().__init__(execution, f"wait {signal}")
        self.signal = signal
        self.seconds = seconds
        self.shape = shape

    def load(self, result: Any, event: Event) -> Any:
        """The signal's value as the declared type."""
        return result if self.shape is None else self.shape.load(result)

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Waits for a letter or the time limit."""
        due = None if self.seconds is None else self.execution.services.clock.now() + self.seconds
        intent = await self.intend(place, move, {"signal": self.signal, "due": due})
        letter = await self.execution.wait(branch, f"{SIGNAL}{self.signal}", intent["due"])
        if letter is None:
            raise await self.fail(place, TimedOut(f"no signal {self.signal!r} came in time"))
        return await self.done(place, letter.body, letter)


class Ask(Waiting):
    """Asks a person. After `seconds` without a decision, `otherwise` counts: reject, approve or fail."""

    __slots__ = ("otherwise", "proposal", "seconds")

    def __init__(
        self, execution: Executing, proposal: bytes, digest: bytes, seconds: float | None, otherwise: str
    ) -> None:
        super().__init__(execution, "ask", digest)
        self.proposal = proposal
        self.seconds = seconds
        self.otherwise = otherwise

    def load(self, result: Any, event: Event) -> Decision:
        """The decision."""
        return msgspec.convert(result, Decision)

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Opens the question and waits for its answer."""
        services = self.execution.services
        now = services.clock.now()
        due = None if self.seconds is None else now + self.seconds
        body = {"approval": services.ids.new(), "due": due, "otherwise": self.otherwise}
        ask = NewApproval(str(body["approval"]), f"{place}:{self.name}", "ask", self.proposal, now, due)
        intent = await self.intend(place, move, body, Extras(asks=(ask,)))
        name, due = f"{DECISION}{place}:{self.name}", intent["due"]
        letter = await self.execution.wait(branch, name, due)
        if letter is None and await self._expire(intent["approval"]):
            return await self._expired(place, intent["otherwise"])
        while letter is None:  # a person was faster than the deadline: the decision is on its way to us
            await self.execution.mailbox.fetch()
            letter = self.execution.mailbox.take(name)
        return await self.done(place, letter.body, letter)

    async def withdraw(self, branch: Branch, place: str, move: Move) -> None:
        """Closes the question when the effect is cancelled."""
        approvals = self.execution.services.store.approvals
        found = await approvals.find(
            self.execution.claim.tenant, status=ApprovalStatus.OPEN, run_id=self.execution.claim.run_id
        )
        for approval in found:
            if approval.path == f"{place}:{self.name}":
                await approvals.close(self.execution.claim, approval.id, ApprovalStatus.WITHDRAWN)

    async def _expire(self, approval_id: str) -> bool:
        approvals = self.execution.services.store.approvals
        status = await approvals.close(self.execution.claim, approval_id, ApprovalStatus.EXPIRED)
        if status is ApprovalStatus.WITHDRAWN:
            raise Interrupted  # a cancel had withdrawn it, and the worker died before it could say so
        return status is ApprovalStatus.EXPIRED

    async def _expired(self, place: str, otherwise: str) -> Any:
        if otherwise == "fail":
            raise await self.fail(place, TimedOut("nobody decided in time"))
        status = ApprovalStatus.APPROVED if otherwise == "approve" else ApprovalStatus.EXPIRED
        value = msgspec.json.decode(self.proposal)
        return await self.done(place, encode(Decision(status, value, by="deadline")))


class Value(Waiting):
    """A value from outside the flow, read once: the time, a random number, a fresh id; or labels to set."""

    __slots__ = ("labels", "read")

    def __init__(self, execution: Executing, name: str, read: Any, labels: dict[str, str] | None = None) -> None:
        super().__init__(execution, name)
        self.read = read
        self.labels = labels

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Reads it and journals it."""
        result = self.read()
        extras = Extras(labels=self.labels) if self.labels else None
        await self.execution.record(
            EventKind.DONE, f"{place}:{self.name}", self.digest, done_body(encode(result)), 0, extras
        )
        return result
