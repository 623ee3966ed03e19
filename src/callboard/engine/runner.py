"""Runs one claimed run: input in, flow driven, end written."""

import asyncio
import traceback
from typing import Any

import msgspec

from callboard.domain.codec import clean, decode, encode
from callboard.domain.errors import (
    CallboardError,
    InputInvalid,
    LeaseLost,
    NotFound,
    RowRefused,
    StoreError,
    Unencodable,
)
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorKind, ErrorRecord
from callboard.domain.run import RunStatus
from callboard.domain.suspension import Cancelled, ContinueAsNew, Parked, Suspension
from callboard.domain.words import words
from callboard.engine.context import Context
from callboard.engine.execution import Execution
from callboard.engine.flow import Flow
from callboard.engine.intake import intake
from callboard.engine.services import Services
from callboard.store.claims import Claimed, Finish, Park, Release, Renew
from callboard.store.runs import Blocked

_ENDS = {
    RunStatus.SUCCEEDED: EventKind.RUN_SUCCEEDED,
    RunStatus.FAILED: EventKind.RUN_FAILED,
    RunStatus.CANCELLED: EventKind.RUN_CANCELLED,
    RunStatus.BLOCKED: EventKind.RUN_BLOCKED,
}


class End(msgspec.Struct, frozen=True):
    """How executing a claimed run ended: the status it has now, None if this worker lost it.

    `kind` is that of the error of one that failed; `renewed`: it begins anew.
    """

    status: RunStatus | None
    woken: tuple[str, ...] = ()
    wake_at: float | None = None
    unreleased: bool = False
    kind: str = ""
    renewed: bool = False


class Runner:
    """Executes one claimed run until it ends, waits, or is taken away."""

    def __init__(self, claimed: Claimed, flow: Flow, services: Services) -> None:
        self._claimed = claimed
        self._services = services
        self._flow = flow
        self.execution = Execution(claimed, flow, services)

    async def run(self) -> End:
        """Drives the flow and writes how it ended."""
        execution = self.execution
        execution.root.task = asyncio.current_task()
        execution.mailbox.receive(self._claimed.letters)
        if (early := await self._wait_for_start()) is not None:
            return early
        try:
            output = await self._drive()
        except Parked:
            return await self._unwound()
        except ContinueAsNew as renewal:
            return await self._renew(renewal.body)
        except Cancelled as cancelled:
            return await self._finish(RunStatus.CANCELLED, encode(str(cancelled)))
        except asyncio.CancelledError:
            # Nothing of the flow's is in flight any more: the process is ending around us. Write nothing.
            execution.stop("the process ends")
            return End(None, unreleased=True)
        except (Exception, Suspension) as error:
            if execution.stopping is not None:
                return await self._unwound()
            return await self._failed(error)
        if execution.stopping is not None:
            return await self._unwound()
        return await self._succeeded(output)

    async def _wait_for_start(self) -> End | None:
        """Parks a run that was claimed before its time, by somebody whose clock is ahead, unless it is cancelled."""
        start_at, execution = self._claimed.run.start_at, self.execution
        early = start_at is not None and start_at > self._services.clock.now()
        if not early or len(self._claimed.events) > 1 or execution.root.doomed is not None:
            return None
        try:
            settled = await self._services.store.claims.settle(execution.claim, Park(execution.mailbox.seen, start_at))
        except LeaseLost:
            return End(None)
        except StoreError:
            return await self._release()
        return End(RunStatus.WAITING, wake_at=start_at) if settled.done else await self._release()

    async def _renew(self, body: bytes) -> End:
        left = self.execution.replay.leftover()
        if left is not None:
            self.execution.block(_ended_early(left))
            return await self._unwound()
        execution = self.execution
        now = int(self._services.clock.now() * 1e6)
        event = Event(execution.seq, EventKind.CONTINUED, "", b"", now, 0, body)
        execution.keep(event)
        try:
            settled = await self._services.store.claims.settle(execution.claim, Renew(event, execution.children))
        except LeaseLost:
            return End(None)
        except StoreError:
            return await self._release()
        return End(RunStatus.READY, settled.woken, renewed=True)

    async def _drive(self) -> Any:
        execution, flow = self.execution, self._flow
        begins = len(self._claimed.events) == 1
        if execution.root.doomed is not None and begins:
            raise Cancelled(execution.root.doomed)  # cancelled before it began
        stored = decode(self._claimed.events[0].body) if self._claimed.events[0].body else None
        try:
            value = await intake(self._services.store, self._claimed.run, flow, stored, begins=begins)
        except StoreError as error:
            raise execution.abort(error) from error
        except (InputInvalid, NotFound) as error:
            if begins:
                raise
            raise execution.block(Blocked("", "an input that fitted", f"another one: {error.what}")) from error
        return await execution.drive(execution.root, flow.fn(Context(execution), value))  # type: ignore[arg-type]

    async def _succeeded(self, output: Any) -> End:
        left = self.execution.replay.leftover()
        if left is not None:
            self.execution.block(_ended_early(left))
            return await self._unwound()
        try:
            body = encode(output, f"the output of {self._flow.name}")
            self._check_size(body)
        except Unencodable as error:
            return await self._finish(RunStatus.FAILED, encode(error.record()))
        return await self._finish(RunStatus.SUCCEEDED, body)

    async def _failed(self, error: BaseException) -> End:
        left = self.execution.replay.leftover()
        if left is not None and not isinstance(error, CallboardError):
            self.execution.block(_ended_early(left, error))
            return await self._unwound()
        return await self._finish(RunStatus.FAILED, encode(_record(error)))

    async def _unwound(self) -> End:
        """The coroutine was dropped: parked, handed back, blocked, or lost."""
        execution = self.execution
        if execution.blocked is not None and execution.root.doomed is not None:
            # What is blocked can still be cancelled; its code does not fit, so there is no clean-up to run.
            return await self._finish(RunStatus.CANCELLED, encode(execution.root.doomed))
        if execution.blocked is not None:
            return await self._finish(RunStatus.BLOCKED, encode(execution.blocked.record()))
        if isinstance(execution.failed, LeaseLost):
            return End(None)
        if isinstance(execution.failed, RowRefused):
            return await self._refused(execution.failed)
        if execution.failed is not None:
            # Whoever goes on with it meets the same store: not at once, again and again.
            await asyncio.sleep(self._services.settings.sweep)
        if execution.failed is not None or not (execution.released or execution.parked):
            return await self._release()
        if execution.released:
            return End(RunStatus.READY)
        return End(RunStatus.WAITING, wake_at=execution.wake_at)

    async def _refused(self, error: RowRefused) -> End:
        """What the run wanted to journal cannot be stored, by nobody: it fails, after what could be stored."""
        claim, journal = self.execution.claim, self._services.store.journal
        try:
            await journal.append(claim, ())  # by then everything behind the refused row has been refused as well
            events = await journal.read(claim.tenant, claim.run_id, after=self.execution.base - 1)
        except LeaseLost:
            return End(None)
        except StoreError:
            return await self._release()
        self.execution.seq, self.execution.kept = events[-1].seq + 1, None
        return await self._finish(RunStatus.FAILED, encode(error.record()))

    async def _release(self) -> End:
        try:
            await self._services.store.claims.settle(self.execution.claim, Release())
        except LeaseLost:
            return End(None)
        except StoreError:
            return End(None, unreleased=True)
        return End(RunStatus.READY)

    async def _finish(self, status: RunStatus, body: bytes) -> End:
        execution = self.execution
        event = Event(execution.seq, _ENDS[status], "", b"", int(self._services.clock.now() * 1e6), 0, body)
        execution.keep(event)
        error = None if status is RunStatus.SUCCEEDED else self._error(status, body)
        end = Finish(status, event, self._notice(status, body, error), execution.children, error)
        try:
            settled = await self._services.store.claims.settle(execution.claim, end)
        except LeaseLost:
            return End(None)
        except StoreError:
            return await self._release()
        return End(status, settled.woken, kind=_kind(body) if status is RunStatus.FAILED else "")

    def _error(self, status: RunStatus, body: bytes) -> bytes:
        if status is RunStatus.CANCELLED:
            return encode(ErrorRecord("run_cancelled", ErrorKind.CANCELLED, decode(body)))
        return body

    def _notice(self, status: RunStatus, body: bytes, error: bytes | None) -> bytes:
        """The letter to a parent that waits; nothing while the run may still go on."""
        run = self._claimed.run
        if run.parent is None or status is RunStatus.BLOCKED:
            return b""
        notice: dict[str, Any] = {"run_id": run.id, "status": status}
        if status is RunStatus.SUCCEEDED:
            notice["output"] = msgspec.Raw(body)
        else:
            notice["error"] = msgspec.Raw(error or b"null")
        return msgspec.json.encode(notice)

    def _check_size(self, body: bytes) -> None:
        limit = self._services.settings.payload
        if len(body) > limit:
            raise Unencodable(
                f"the output of {self._flow.name} has {len(body):,} bytes, the limit is {limit:,}",
                remedy="return less, or a reference to where it is kept",
            )


def _ended_early(left: Event, error: BaseException | None = None) -> Blocked:
    how = "the end of the flow" if error is None else f"{type(error).__name__}: {words(error)}"
    return Blocked(left.path, f"the effect {left.path}", how)


def _kind(body: bytes) -> str:
    return msgspec.json.decode(body, type=ErrorRecord).kind


def _record(error: BaseException) -> ErrorRecord:
    if isinstance(error, CallboardError):
        return error.record()
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    detail: dict[str, Any] = {"type": kind}
    if frames:
        last = frames[-1]
        detail["where"] = f"{last.filename.rpartition('/')[2]}:{last.lineno} in {last.name}"
    return ErrorRecord("flow_failed", ErrorKind.BUG, clean(f"{kind}: {words(error)}"), None, detail)
