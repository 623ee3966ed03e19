"""Branches side by side: begun together, waited for until the first or all have ended, or driven again on replay."""

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

from callboard.domain.suspension import Cancelled, Parked
from callboard.engine.branch import Branch
from callboard.engine.executing import Executing
from callboard.engine.request import Request
from callboard.telemetry.current import step_aside


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
        if parent.cancelled:
            limit = deadline  # clean-up is not held to the limit that has passed
        self.branches = [Branch(f"{place}.{i}/", limit, parent.scope.depth) for i in range(len(work))]
        parent.children = list(self.branches)
        loop = asyncio.get_running_loop()
        execution.running += len(work)
        for branch, awaitable in zip(self.branches, work, strict=True):
            branch.saga, branch.past = parent.saga, parent.past
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
        step_aside()
        try:
            branch.value = await self._execution.drive(branch, _coroutine(awaitable))
        except BaseException as error:
            branch.error = error
        finally:
            self.open -= 1
            if self.first is None and not branch.cancelled:
                self.first = branch  # one that was cancelled, in this life or the one before, has not won
            if self._waiting is not None and not self._waiting[1].done() and (not self._waiting[0] or not self.open):
                self._execution.running += 1
                self._waiting[1].set_result(None)
            self._execution.idle()


async def drive_again(
    execution: Executing, branch: Branch, place: str, work: Sequence[Awaitable[Any]], index: int
) -> Branch:
    """Replays the one branch that counted, and drops the others."""
    again = _again(branch, place, index, branch.deadline)
    branch.children = [again]
    try:
        again.value = await execution.drive(again, _coroutine(work[index]))
    except Parked:
        close([each for i, each in enumerate(work) if i != index])
        raise
    except BaseException as error:
        again.error = error
    finally:
        branch.children = []
    await drop_lost(execution, branch, place, work, index)
    return again


async def drop_lost(
    execution: Executing, branch: Branch, place: str, work: Sequence[Awaitable[Any]], winner: int | None = None
) -> None:
    """Skips what branches that do not count had recorded. Within a saga they are replayed to their end first: it may
    have to undo what they did."""
    lost = [i for i in range(len(work)) if i != winner]
    try:
        for i in lost if branch.saga is not None else ():
            past = _again(branch, place, i, None)
            past.past = True
            branch.children = [past]
            with contextlib.suppress(Exception, Cancelled):  # it ended so the first time as well
                await execution.drive(past, _coroutine(work[i]))
            branch.children = []
    finally:
        close([work[i] for i in lost])
    execution.replay.skip(f"{place}.")


def first_ended(fan: FanOut) -> int:
    """The lowest branch that has ended by itself: of several, replay must choose the same."""
    for i, branch in enumerate(fan.branches):
        if branch.task is not None and branch.task.done() and not branch.cancelled:
            return i
    return 0  # all were cancelled


def cancel_others(execution: Executing, fan: FanOut, winner: int, reason: str) -> None:
    """Cancels all branches but the winner."""
    for i, branch in enumerate(fan.branches):
        if i != winner:
            execution.interrupt(branch, reason)


def told_by(parent: Branch, branch: Branch) -> None:
    """A branch was cancelled, and its parent is told so by it: for the same reason, and once."""
    parent.cancelled = True
    parent.doomed = parent.doomed or branch.doomed


def close(work: Sequence[Awaitable[Any]]) -> None:
    """Drops work that will not be awaited."""
    for awaitable in work:
        if isinstance(awaitable, Coroutine):
            awaitable.close()
        elif isinstance(awaitable, Request):
            awaitable.drop()


def _again(parent: Branch, place: str, index: int, deadline: float | None) -> Branch:
    again = Branch(f"{place}.{index}/", deadline, parent.scope.depth)
    again.task = asyncio.current_task()
    again.saga, again.past = parent.saga, parent.past
    return again


async def _coroutine(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
