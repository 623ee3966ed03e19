"""One claimed run in memory: drives its coroutine, waits for it, parks it.

The engine drives coroutines by hand: what a flow awaits arrives here as a request, so that replay needs no
turn of the event loop, and anything else that it awaits is seen and refused. Around each resumption
`current` names the branch that moves; a request made at any other time comes from a foreign task.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from callboard.dispatch.bell import Hint, News
from callboard.domain.bill import FREE
from callboard.domain.budget import Refusal
from callboard.domain.chat import refuse_reference
from callboard.domain.codec import decode, encode
from callboard.domain.errors import FlowMisuse, LimitReached, StoreError
from callboard.domain.event import Event, EventKind
from callboard.domain.suspension import Cancelled, Parked, Suspension
from callboard.engine.branch import Branch
from callboard.engine.flow import Flow
from callboard.engine.mailbox import Mailbox
from callboard.engine.replay import Mismatch, Move, New, Open, Replay
from callboard.engine.request import Interrupted, Request, abandoned
from callboard.engine.services import Services
from callboard.store.claims import Claimed, Park, Release
from callboard.store.journal import Extras, Isolation, Settlement
from callboard.store.runs import Blocked

_BEGUN = frozenset({EventKind.INTENT, EventKind.BEAT})
_KEPT, _KEPT_BYTES = 1_000, 4 * 1024 * 1024  # events that are remembered, and how large they are together
_REFUSALS = 20  # a coroutine that swallows this many refusals while it unwinds is closed by force


class Execution:
    """A run from its claim to the end of it. `context.py` is what the flow sees of it."""

    def __init__(self, claimed: Claimed, flow: Flow, services: Services) -> None:
        self.claim = claimed.claim
        self.run = claimed.run
        self.flow = flow
        self.services = services
        self.replay = Replay(claimed.events)
        self.base = claimed.events[0].seq  # above 0 in a run that began anew
        self.since = max(self.base, self.replay.requeued)  # the number of the event with which this part of it began
        self.seq = claimed.events[-1].seq + 1
        self.current: Branch | None = None
        self.root = Branch("")
        self.running = 1  # branches that can move; at 0 the run waits
        self.stopping: Parked | None = None
        self.draining = False
        self.undoing = 0  # sagas that undo what they had done: that is held to no limit
        self.parking: asyncio.Task[None] | None = None
        self.wake_at: float | None = None
        self.parked = False
        self.released = False
        self.failed: StoreError | None = None
        self.blocked: Blocked | None = None
        # Branches that lost are not driven again: what they had spawned is known from the journal alone.
        self.children = self.base > 0 or any(":spawn " in event.path for event in claimed.events)
        self.mailbox = Mailbox(self, claimed.inbox_seq)
        self.progressed = False  # something was journaled that is more than a beginning
        # What is in the journal, for those who tell of the run when it has ended; None: they have to read it.
        self.kept: list[Event] | None = list(claimed.events) if services.keeps else None
        self._kept_bytes = 0
        self._refused = 0

    def record(
        self, kind: EventKind, path: str, digest: bytes, body: bytes, took: int = 0, extras: Extras | None = None
    ) -> Awaitable[Refusal | None]:
        """Appends the run's next event; committed when the awaitable returns, unless it returns a refusal of what the
        extras wanted to hold: then that one's event stands in its place. Raises StoreError."""
        services = self.services
        if self.seq - self.base > services.settings.effects:
            self._refuse_more(path)
        event = Event(self.seq, kind, path, digest, int(services.clock.now() * 1e6), took, body)
        self.seq += 1
        if self.kept is not None:
            self.keep(event)
        self.progressed = self.progressed or kind not in _BEGUN
        written = services.store.journal.append(self.claim, (event,), extras)
        return self._told(written) if self.run.id in services.tails.followed else written

    def transact(
        self, do: Callable[[Any], Any], outcome: Callable[[int, Any], Event], limit: float, isolation: Isolation
    ) -> Awaitable[Any]:
        """Calls `do(connection)` and appends `outcome(seq, its result or what it raised)` in one transaction."""
        services = self.services
        if self.seq - self.base > services.settings.effects:
            self._refuse_more("")
        self.kept = None
        seq = self.seq
        self.seq += 1
        written = services.store.journal.transact(
            self.claim, seq, do, lambda result: outcome(seq, result), limit=limit, isolation=isolation
        )
        return self._told(written) if self.run.id in services.tails.followed else written

    def keep(self, event: Event) -> None:
        """Remembers what is being journaled, unless it becomes too much."""
        if self.kept is not None:
            self.kept.append(event)
            self._kept_bytes += len(event.body)
            if len(self.kept) > _KEPT or self._kept_bytes > _KEPT_BYTES:
                self.kept = None

    async def drive(self, branch: Branch, coro: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine to its end, answering what it requests. Raises what it raises."""
        try:
            return await self._drive(branch, coro)
        finally:
            branch.limit.close()

    def renewal(self, value: Any) -> bytes:
        """The input for a run that begins anew, checked and encoded. Raises InputInvalid, Unencodable."""
        body = encode(value, f"the input of {self.flow.name}")
        refuse_reference(body, f"the input of {self.flow.name}")
        self.flow.take(decode(body))
        return body

    def announce(self, run_id: str) -> None:
        """Tells workers that another run can be claimed or has mail."""
        self.services.bell.ring((Hint(News.READY, run_id), Hint(News.INBOX, run_id)))

    def refuse(self, name: str) -> Generator[Any, Any, Branch]:
        """Refuses a request made by a foreign task or while the coroutine unwinds."""
        if self.stopping is not None:
            self._refused += 1
            if self._refused > _REFUSALS:
                yield None
            raise self.stopping
        raise FlowMisuse(
            f"the effect {name} was requested outside the flow of run {self.run.id}",
            why="a task of your own, a thread, or the function of a step asked for it; its place could not be replayed",
            remedy="request effects in the flow itself; for parallel work use ctx.gather",
        )

    def stop(self, why: str) -> Parked:
        """Ends this execution without a trace: waits are dropped, calls in flight cancelled and forgotten."""
        if self.stopping is None:
            self.stopping = Parked(why)
            self._each_leaf(self.root, self._unwind)
        return self.stopping

    def abort(self, error: StoreError) -> Parked:
        """The store refused a write (the lease is lost, the disk is full): this execution cannot go on."""
        if self.failed is None and self.stopping is None:
            self.failed = error
        return self.stop(f"the journal could not be written ({error.what})")

    def block(self, blocked: Blocked) -> Parked:
        """The journal and the code disagree: the run is blocked, with both sides shown."""
        if self.blocked is None and self.stopping is None:
            self.blocked = blocked
        return self.stop("the journal and the code disagree")

    def drain(self) -> None:
        """Lets effects in flight finish, starts no new ones, then hands the run back."""
        self.draining = True
        if self.running == 0:
            self.idle(0)

    def cancel(self, reason: str) -> None:
        """The run is cancelled: each effect that waits or is in flight is told so, `once` calls settle first."""
        self.interrupt(self.root, reason)

    def interrupt(self, branch: Branch, reason: str) -> None:
        """Cancels a branch and the branches within it."""
        if branch.cancelled or branch.doomed is not None:
            return
        branch.doomed = reason
        if branch.children:
            for child in branch.children:
                self.interrupt(child, reason)
        elif branch.waiter is not None:
            if not branch.shielded:
                self.mailbox.resolve(branch.waiter, Interrupted())
        elif branch.interrupt is None and branch.calling and not branch.shielded and branch.task is not None:
            branch.interrupt = reason
            branch.task.cancel()

    def idle(self, change: int = 1) -> None:
        """A branch has stopped moving; when none moves, the run parks."""
        self.running -= change
        if self.running == 0 and self.parking is None and self.stopping is None:
            self.parking = asyncio.get_running_loop().create_task(self._park())

    async def wait(self, branch: Branch, name: str | None, due: float | None) -> Any:
        """Waits for a letter of that name or for a time; returns the letter, or None when the time has come.

        Raises Interrupted when the branch is cancelled meanwhile, Parked when the run parks.
        """
        self.check(branch)
        if (letter := self.mailbox.take(name)) is not None:
            return letter
        if due is not None and due <= self.services.clock.now():
            return None
        waiter = self.mailbox.add(branch, name, due)
        self.idle()
        try:
            return await waiter.future
        except asyncio.CancelledError:
            if not waiter.resolved:
                self.running += 1
            raise
        finally:
            self.mailbox.remove(branch, waiter)

    def check(self, branch: Branch) -> None:
        """Raises Interrupted when the branch was cancelled while the effect's intent was being written."""
        if branch.doomed is not None and not branch.cancelled and not branch.shielded:
            raise Interrupted

    async def _drive(self, branch: Branch, coro: Coroutine[Any, Any, Any]) -> Any:
        send, throw = coro.send, coro.throw
        value: Any = None
        error: BaseException | None = None
        while True:
            self.current = branch
            try:
                asked = send(value) if error is None else throw(error)
            except StopIteration as end:
                return end.value
            finally:
                self.current = None
            value = error = None
            if type(asked) is not tuple:
                error = self._foreign(asked, coro)
                continue
            request, place, move = asked
            try:
                value = await self._perform(branch, request, place, move)
            except Interrupted:
                error = await self._tell_cancelled(branch, request, place, move)
            except StoreError as raised:
                error = self.abort(raised)
            except asyncio.CancelledError:
                error = await self._cancelled(branch, request, place, move)
            except (Exception, Suspension) as raised:
                error = raised  # a failure of the effect, or what a branch raised by itself

    def _told(self, written: Awaitable[Any]) -> Awaitable[Any]:
        """Who follows this run here hears of an event once it is committed."""
        future = asyncio.ensure_future(written)
        future.add_done_callback(lambda _: self.services.tails.grown(self.run.id))
        return future

    def _refuse_more(self, path: str) -> None:
        """The run has more events than it may have."""
        if not self.undoing:
            raise LimitReached(
                f"run {self.run.id} has {self.seq - self.base} events",
                path=path,
                detail={"reason": "effects"},
                remedy="raise `effects` in the settings, split the work into child runs, or use ctx.continue_as_new",
            )

    async def _perform(self, branch: Branch, request: Request, place: str, move: Move) -> Any:
        try:
            if branch.past and isinstance(move, New | Open) and not request.drives:
                path = f"{place}:{request.name}"
                raise self.block(Blocked(path, "the end of a branch that had lost", f"the effect {path}"))
            await self._may_begin(branch, request, move)
        except BaseException:
            request.drop()
            raise
        return await request.perform(branch, place, move)

    async def _may_begin(self, branch: Branch, request: Request, move: Move) -> None:
        if self.stopping is not None:
            raise self.stopping
        if type(move) is Mismatch:
            raise self.block(move.blocked)
        if branch.doomed is not None and not branch.cancelled and not request.settles_first(move):
            raise Interrupted
        if self.draining and type(move) is New:
            await self.wait(branch, None, None)  # never resolved: ends with Parked once all effects have settled
        late = branch.deadline is not None and branch.deadline <= self.services.clock.now()
        if late and not branch.cancelled and not request.settles_first(move):
            await self.wait(branch, None, None)  # the ctx.timeout around it is about to interrupt

    async def _tell_cancelled(self, branch: Branch, request: Request, place: str, move: Move) -> BaseException:
        """Journals a cancel as the outcome of the effect that was pending; then the flow is told."""
        reason = branch.doomed or "cancelled"
        branch.interrupt = None
        branch.cancelled = True
        try:
            await request.withdraw(branch, place, move)
            await self._cut_off(EventKind.CANCELLED, request, place, move, encode(reason))
        except StoreError as error:
            return self.abort(error)
        return Cancelled(reason, begun=request.begun(move))

    async def _cancelled(self, branch: Branch, request: Request, place: str, move: Move) -> BaseException:
        task = asyncio.current_task()
        if self.parking is not None:
            await asyncio.wait([self.parking])  # if the run has parked by then, nothing may be journaled
        if self.stopping is not None or branch.interrupt is not None:
            if task is not None:
                task.uncancel()  # it was Callboard that cancelled
            if self.stopping is not None:
                return self.stopping
            return await self._tell_cancelled(branch, request, place, move)
        try:
            await self._cut_off(EventKind.ABANDONED, request, place, move, b"")
        except StoreError as error:
            return self.abort(error)
        return abandoned(f"{place}:{request.name}")

    def _cut_off(
        self, kind: EventKind, request: Request, place: str, move: Move, body: bytes
    ) -> Awaitable[Refusal | None]:
        owed = request.owed(move)
        settled = Settlement(f"{place}:{request.name}", None)
        extras = None if owed is FREE else Extras(bills=(owed,), settled=settled)
        return self.record(kind, f"{place}:{request.name}", request.digest, body, 0, extras)

    def _foreign(self, asked: Any, coro: Coroutine[Any, Any, Any]) -> BaseException:
        if getattr(asked, "_asyncio_future_blocking", False):
            asked._asyncio_future_blocking = False  # as asyncio's own tasks do when they take a future over
        if self.stopping is not None:
            with contextlib.suppress(RuntimeError):
                coro.close()  # it unwinds and still awaits: end it by force
            raise self.stopping
        what = "control (asyncio.sleep(0))" if asked is None else type(asked).__name__
        return FlowMisuse(
            f"flow {self.flow.name} awaited {what}, which is not an effect",
            why="it would happen again, and differently, on every replay",
            remedy="wrap it in ctx.step; to wait use ctx.sleep, for parallel work ctx.gather",
        )

    def _each_leaf(self, branch: Branch, visit: Any) -> None:
        for child in list(branch.children):
            self._each_leaf(child, visit)
        if not branch.children:
            visit(branch)

    def _unwind(self, branch: Branch) -> None:
        if branch.waiter is not None:
            assert self.stopping is not None
            self.mailbox.resolve(branch.waiter, self.stopping)
        elif branch.calling and branch.task is not None:
            branch.task.cancel()

    async def _park(self) -> None:
        claims = self.services.store.claims
        try:
            while self.running == 0 and self.stopping is None:
                self.mailbox.ring_due()
                if self.running:
                    return
                wake_at = self.mailbox.next_due()
                end = Release() if self.draining else Park(self.mailbox.seen, wake_at)
                settled = await claims.settle(self.claim, end)
                if settled.done:
                    self.parked, self.released, self.wake_at = True, isinstance(end, Release), wake_at
                    self.stop("the worker stops" if self.released else "the run waits")
                    return
                await self.mailbox.fetch()
        except StoreError as error:
            self.abort(error)
        finally:
            self.parking = None
            self.mailbox.catch_up()
