"""Child runs: started in the same transaction as the intent that says so."""

import contextlib
from enum import StrEnum
from typing import Any

import msgspec

from callboard.domain.chat import refuse_reference
from callboard.domain.codec import decode, digest, encode
from callboard.domain.errors import (
    ChildFailed,
    Conflict,
    Incomplete,
    InputInvalid,
    LimitReached,
    NotFound,
)
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.partial import Partial
from callboard.domain.run import RunStatus
from callboard.engine.branch import Branch
from callboard.engine.executing import Executing
from callboard.engine.flow import Flow
from callboard.engine.replay import Move, New
from callboard.engine.request import done_body, last_intent
from callboard.engine.shape import loaded
from callboard.engine.waits import Waiting
from callboard.store.journal import Extras
from callboard.store.letter import CANCEL, CHILD, Letter
from callboard.store.runs import NewRun
from callboard.telemetry.current import Place

_LOOK = 1.0  # seconds between looks of a fork at a child that is not its own


class Mode(StrEnum):
    """What ties a child to its parent.

    `await`: the parent waits for the child's output. `attached`: it goes on with a handle, and a child still
    running when the parent ends is cancelled. `detached`: the child lives on by itself.
    """

    AWAIT = "await"
    ATTACHED = "attached"
    DETACHED = "detached"


class Child:
    """A child run that was not waited for. `id` is its run id."""

    __slots__ = ("_execution", "_flow", "_mode", "_path", "id")

    def __init__(self, execution: Executing, run_id: str, path: str, flow: Flow, mode: Mode) -> None:
        self._execution = execution
        self.id = run_id
        self._path = path
        self._flow = flow
        self._mode = mode

    def result(self, *, partial_ok: bool = False) -> "ChildResult":
        """Waits for the child's output; an attached child only. Raises ChildFailed when it did not succeed, Incomplete
        when it gave a Partial and that is not `partial_ok`."""
        if self._mode is Mode.DETACHED:
            raise InputInvalid(
                f"child {self.id} is detached",
                why="nobody is told when it ends",
                remedy='spawn it with mode="attached"',
            )
        return ChildResult(self._execution, f"result {self.id}", self._path, self._flow, self.id, partial_ok)


class _Answering(Waiting):
    """Waits for the letter that a child sends when it ends."""

    __slots__ = ("flow", "partial_ok")

    flow: Flow
    partial_ok: bool

    async def answered(self, branch: Branch, place: str, path: str) -> Any:
        """The child's output; its failure is journaled and raised."""
        letter: Letter = await self.execution.wait(branch, f"{CHILD}{path}", None)
        return await self.told(place, decode(letter.body, type=_Notice), letter)

    async def told(self, place: str, notice: "_Notice", letter: Letter | None) -> Any:
        """Journals what became of the child."""
        if notice.status is RunStatus.SUCCEEDED:
            return await self.done(place, bytes(notice.output), letter)
        error = notice.error or {}
        raise await self.fail(
            place,
            ChildFailed(
                f"child run {notice.run_id} {notice.status}: {error.get('message', '')}",
                kind=_kind(error, notice.status),
                detail={"run_id": notice.run_id, "status": notice.status, "error": error},
            ),
            letter,
        )

    def load(self, result: Any, event: Event) -> Any:
        """The child's output as its flow declares it, or the Partial that it gave."""
        output = loaded(result, self.flow.output)
        if isinstance(output, Partial) and not self.partial_ok:
            raise Incomplete(
                f"the output of child run {self.flow.name} is not whole: {output.missing or 'it is a Partial'}",
                path=event.path,
                detail={"place": f"the output of {self.flow.name}", "missing": output.missing},
                remedy="pass partial_ok=True if a part will do",
            )
        return output


class Spawn(_Answering):
    """Starts a child run."""

    __slots__ = ("child", "input", "labels", "mode")

    def __init__(
        self,
        execution: Executing,
        flow: Flow,
        value: Any,
        mode: Mode,
        labels: dict[str, str] | None,
        partial_ok: bool = False,
    ) -> None:
        self.input = encode(value, f"the input of {flow.name}")
        refuse_reference(self.input, f"the input of {flow.name}")
        super().__init__(execution, f"spawn {flow.name}", digest(value))
        self.partial_ok = partial_ok
        self.flow = flow
        self.mode = mode
        self.labels = labels
        self.child: str | None = None

    def load(self, result: Any, event: Event) -> Any:
        """The child's output, or a handle on it."""
        if self.mode is Mode.AWAIT:
            return super().load(result, event)
        return Child(self.execution, result["run_id"], event.path, self.flow, self.mode)

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Starts the child and, unless it is let go, waits for it."""
        path = f"{place}:{self.name}"
        if self.mode is not Mode.DETACHED:
            self.execution.children = True
        if self.mode is Mode.AWAIT:
            if type(move) is New:
                new = self._new(path)
                await self.intend(place, move, {"run_id": new.id}, Extras(children=(new,)))
                self.execution.announce(new.id)
                self.child = new.id
            else:
                self.child = last_intent(move)["run_id"]
            return await self.answered(branch, place, path)
        new = self._new(path)
        body = done_body(encode({"run_id": new.id}))
        await self.execution.record(EventKind.DONE, path, self.digest, body, 0, Extras(children=(new,)))
        self.execution.announce(new.id)
        return Child(self.execution, new.id, path, self.flow, self.mode)

    async def withdraw(self, branch: Branch, place: str, move: Move) -> None:
        """Cancels the child with the effect that waits for it."""
        services, run = self.execution.services, self.execution.run
        child = self.child or last_intent(move).get("run_id")
        if child is not None:
            with contextlib.suppress(Conflict, NotFound):  # it has ended by itself
                now = services.clock.now()
                await services.store.inbox.send(run.tenant, child, CANCEL, b'"its parent no longer waits"', now)
                self.execution.announce(child)

    def _new(self, path: str) -> NewRun:
        run, services = self.execution.run, self.execution.services
        if run.depth + 1 > services.settings.depth:
            raise LimitReached(
                f"child runs nest deeper than {services.settings.depth}",
                path=path,
                detail={"reason": "depth"},
                remedy="raise `depth` in the settings if that is meant",
            )
        return NewRun(
            id=services.ids.new(),
            tenant=run.tenant,
            flow=self.flow.name,
            version=self.flow.version,
            input=self.input,
            digest=self.digest,
            at=services.clock.now(),
            priority=run.priority,
            labels=self.labels,
            depth=run.depth + 1,
            parent=run.id,
            parent_path=path,
            detached=self.mode is Mode.DETACHED,
            needs=self.flow.needs,
            charges=services.charges(run),
            trace=Place(run, path, 1, self.execution.since).context.header,
        )


class ChildResult(_Answering):
    """Waits for an attached child."""

    __slots__ = ("path", "run_id")

    def __init__(
        self, execution: Executing, name: str, path: str, flow: Flow, run_id: str, partial_ok: bool = False
    ) -> None:
        super().__init__(execution, name)
        self.partial_ok = partial_ok
        self.path = path
        self.flow = flow
        self.run_id = run_id

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Waits for the child's letter, unless it is known how the child ended."""
        await self.intend(place, move, {"run_id": self.run_id})
        execution = self.execution
        name = f"{CHILD}{self.path}"
        while (letter := execution.mailbox.take(name)) is None:
            # The letter came once, and to the run that spawned the child: a second look, or a fork's, asks the store.
            outcomes = await execution.services.store.runs.outcomes(execution.claim.tenant, [self.run_id])
            if (ended := outcomes.get(self.run_id)) is not None:
                error = msgspec.to_builtins(ended.error)
                return await self.told(
                    place, _Notice(self.run_id, ended.status, msgspec.Raw(encode(ended.output)), error), None
                )
            again = execution.services.clock.now() + _LOOK if execution.run.fork_of else None
            if (letter := await execution.wait(branch, name, again)) is not None:
                break
        return await self.told(place, decode(letter.body, type=_Notice), letter)


class _Notice(msgspec.Struct):
    """The letter that a child sends to its parent when it ends."""

    run_id: str
    status: RunStatus
    output: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None


def _kind(error: dict[str, Any], status: RunStatus) -> ErrorKind:
    if status is RunStatus.CANCELLED:
        return ErrorKind.CANCELLED
    try:
        return ErrorKind(error.get("kind", ""))
    except ValueError:
        return ErrorKind.BUG
