"""Parallel branches: gather, race and time limits. Each branch has a scope of its own, so order cannot break replay."""

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

from callboard.domain.codec import encode
from callboard.domain.errors import Cancelled, Parked, TimedOut
from callboard.domain.event import EventKind
from callboard.engine.branch import Branch
from callboard.engine.executing import Executing
from callboard.engine.replay import Move, Recorded
from callboard.engine.request import decode_done, done_body, raised
from callboard.engine.waits import Waiting

_LATE = "the time limit was reached"


class FanOut:
    """Branches that run side by side, and their parent that waits for the first or for all of them."""

    __slots__ = ("_execution", "_parent", "_waiting", "branches", "first", "open")

    def __init__(
        self, execution: Executing, parent: Branch, place: str, work: Sequence[Awaitable[Any]],
        deadline: float | None = None,
    ) -> None:  # fmt: skip
        self._execution = execution
        self._parent = parent
        self._waiting: tuple[bool, asyncio.Future[None]] | None = None
        self.first: Branch | None = None
        self.open = len(work)
        limit = parent.deadline if deadline is None else min(deadline, parent.deadline or deadline)
        self.branches = [Branch(f"{place}.{i}/", limit) for i in range(len(work))]
        parent.children = list(self.branches)
        loop = asyncio.get_running_loop()
        execution.running += len(work)
        for branch, awaitable in zip(self.branches, work, strict=True):
            if parent.doomed is not None and not parent.cancelled:
                branch.doomed = parent.doomed
            branch.task = loop.create_task(self._run(branch, awaitable))

    async def wait(self, *, for_all: bool) -> None:
        """Waits until the first branch has ended, or all of them; they may end with errors, which stay in them.

        If the wait is cancelled from outside, so is all that the branches have in flight.
        """
        while self.open and (for_all or self.first is None):
            waiting = asyncio.get_running_loop().create_future()
            self._waiting = (for_all, waiting)
            self._execution.idle()
            try:
                await waiting
            except asyncio.CancelledError:
                if not waiting.done() or waiting.cancelled():
                    self._execution.running += 1
                if self._execution.stopping is None:
                    for branch in self.branches:
                        if branch.task is not None and branch.error is None:
                            branch.task.cancel()
            finally:
                self._waiting = None
        if for_all:
            self._parent.children = []

    async def _run(self, branch: Branch, awaitable: Awaitable[Any]) -> None:
        try:
            branch.value = await self._execution.drive(branch, _coroutine(awaitable))
        except BaseException as error:
            branch.error = error
        finally:
            self.open -= 1
            if self.first is None:
                self.first = branch
            if self._waiting is not None and not self._waiting[1].done() and (not self._waiting[0] or not self.open):
                self._execution.running += 1
                self._waiting[1].set_result(None)
            self._execution.idle()


class Gather(Waiting):
    """Runs branches side by side, lets all of them settle, then returns all values or raises the first failure."""

    __slots__ = ("work",)

    def __init__(self, execution: Executing, work: Sequence[Awaitable[Any]]) -> None:
        super().__init__(execution, "gather")
        self.work = work

    def __await__(self) -> Any:
        execution = self.execution
        branch = execution.current
        if branch is None or execution.stopping is not None:
            self.drop()
            branch = yield from execution.refuse(self.name)
        place = branch.scope.take()
        move = execution.replay.enter(place, self.name)
        return (yield (self, place, move))

    def drop(self) -> None:
        """Closes what was to run."""
        close(self.work)

    def settles_first(self, move: Move) -> bool:
        """Each branch is told of a cancel at its own next effect."""
        return True

    async def perform(self, branch: Branch, place: str, move: Move) -> list[Any]:
        """Runs the branches."""
        fan = FanOut(self.execution, branch, place, self.work)
        await fan.wait(for_all=True)
        for each in fan.branches:
            if each.error is not None:
                if isinstance(each.error, Cancelled):
                    branch.cancelled = True
                raise each.error
        return [each.value for each in fan.branches]


class _Driving(Waiting):
    """Drives branches also when its outcome is recorded; each branch is told of a cancel at its own next effect."""

    __slots__ = ()
    drives = True

    def settles_first(self, move: Move) -> bool:
        """Never cancelled as a whole."""
        return True


class Race(_Driving):
    """Runs branches side by side until the first one ends, cancels the others, and journals who won."""

    __slots__ = ("work",)

    def __init__(self, execution: Executing, work: Sequence[Awaitable[Any]]) -> None:
        super().__init__(execution, "race")
        self.work = work

    def drop(self) -> None:
        """Closes what was to run."""
        close(self.work)

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Runs the race, or again the branch that is known to have won."""
        execution = self.execution
        if type(move) is Recorded:
            return await self._again(branch, place, move)
        fan = FanOut(execution, branch, place, self.work)
        await fan.wait(for_all=False)
        _check_unwinding(execution)
        winner = _first(fan)
        _cancel_others(execution, fan, winner, "another branch won the race")
        await fan.wait(for_all=True)
        _check_unwinding(execution)
        won = fan.branches[winner]
        if isinstance(won.error, Cancelled):  # all were cancelled from above
            branch.cancelled = True
            raise won.error
        body = done_body(encode(winner))
        await execution.record(EventKind.DONE, f"{place}:{self.name}", self.digest, body)
        return _end(winner, won)

    async def _again(self, branch: Branch, place: str, move: Recorded) -> Any:
        if move.event.kind is not EventKind.DONE:
            close(self.work)
            self.execution.replay.skip(f"{place}.")
            raise raised(branch, move.event)
        winner: int = decode_done(move.event.body).result
        won = await drive_again(self.execution, branch, place, self.work, winner)
        return _end(winner, won)


class TimeLimit(_Driving):
    """Runs a branch for `seconds` at most, across parking and crashes, and journals whether it made it."""

    __slots__ = ("seconds", "work")

    def __init__(self, execution: Executing, seconds: float, work: Awaitable[Any]) -> None:
        super().__init__(execution, "timeout")
        self.seconds = seconds
        self.work = work

    def drop(self) -> None:
        """Closes what was to run."""
        close((self.work,))

    async def perform(self, branch: Branch, place: str, move: Move) -> Any:
        """Runs the branch against the clock."""
        execution = self.execution
        if type(move) is Recorded:
            if move.event.kind is not EventKind.DONE:
                close((self.work,))
                execution.replay.skip(f"{place}.")
                raise raised(branch, move.event)
            return _value(await drive_again(execution, branch, place, (self.work,), 0))
        try:
            intent = await self.intend(place, move, {"due": execution.services.clock.now() + self.seconds})
        except BaseException:
            self.drop()
            raise
        due: float = intent["due"]
        fan = FanOut(execution, branch, place, (self.work,), due)
        limited = fan.branches[0]
        watch = execution.mailbox.watch(due, lambda: execution.interrupt(limited, _LATE))
        try:
            await fan.wait(for_all=True)
        finally:
            execution.mailbox.unwatch(watch)
        _check_unwinding(execution)
        if limited.doomed == _LATE:
            raise await self.fail(place, TimedOut(f"the time limit of {self.seconds:g} s was reached"))
        if isinstance(limited.error, Cancelled):
            branch.cancelled = True
            raise limited.error
        await execution.record(EventKind.DONE, f"{place}:{self.name}", self.digest, done_body(b"null"))
        return _value(limited)


async def drive_again(
    execution: Executing, branch: Branch, place: str, work: Sequence[Awaitable[Any]], index: int
) -> Branch:
    """Replays the one branch that counted, and skips what the others had recorded."""
    others = [w for i, w in enumerate(work) if i != index]
    close(others)
    again = Branch(f"{place}.{index}/", branch.deadline)
    again.task = asyncio.current_task()
    branch.children = [again]
    try:
        again.value = await execution.drive(again, _coroutine(work[index]))
    except Parked:
        raise
    except BaseException as error:
        again.error = error
    finally:
        branch.children = []
    execution.replay.skip(f"{place}.")
    return again


def close(work: Sequence[Awaitable[Any]]) -> None:
    """Drops work that will not be awaited."""
    for awaitable in work:
        if isinstance(awaitable, Coroutine):
            awaitable.close()


async def _coroutine(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _first(fan: FanOut) -> int:
    """The lowest branch that has ended by itself: of several, replay must choose the same."""
    for i, branch in enumerate(fan.branches):
        if branch.task is not None and branch.task.done() and not isinstance(branch.error, Cancelled):
            return i
    assert fan.first is not None
    return fan.branches.index(fan.first)


def _cancel_others(execution: Executing, fan: FanOut, winner: int, reason: str) -> None:
    for i, branch in enumerate(fan.branches):
        if i != winner:
            execution.interrupt(branch, reason)


def _check_unwinding(execution: Executing) -> None:
    if execution.stopping is not None:
        raise execution.stopping


def _end(index: int, branch: Branch) -> tuple[int, Any]:
    if branch.error is not None:
        raise branch.error
    return index, branch.value


def _value(branch: Branch) -> Any:
    if branch.error is not None:
        raise branch.error
    return branch.value
