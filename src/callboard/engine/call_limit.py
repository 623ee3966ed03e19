"""The time limit of what a branch calls, one call after the other."""

import asyncio
from types import TracebackType
from typing import Any


class CallLimit:
    """Cancels a call that takes too long, as `asyncio.timeout` does: `with limit.of(task, seconds): await ...`.

    A timer that is made for each call, and nearly always dropped, takes a tenth of a step. Here one serves all calls of
    a branch: it stands when a call is over, and when it rings it looks how long the call at hand may still take.

    Attributes:
        expired: the last call took too long.
    """

    __slots__ = ("_cancels", "_due", "_task", "_timer", "expired")

    def __init__(self) -> None:
        self.expired = False
        self._task: asyncio.Task[Any] | None = None
        self._cancels = 0  # how often somebody else had cancelled the task before the call
        self._due: float | None = None  # by the loop's time; None while nothing is called, or without a limit
        self._timer: asyncio.TimerHandle | None = None

    def of(self, task: asyncio.Task[Any] | None, seconds: float | None) -> "CallLimit":
        """The limit of the next call, which this task makes; None for no limit."""
        self.expired = False
        if seconds is not None and task is not None:
            self._task, self._cancels = task, task.cancelling()
            loop = task.get_loop()
            self._due = due = loop.time() + seconds
            if self._timer is None or self._timer.when() > due:
                self._set(loop, due)
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._due = None
        if self.expired and self._task is not None:
            mine = self._task.uncancel() <= self._cancels
            if mine and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def close(self) -> None:
        """The branch has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self.close()
        self._timer = loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        due, task = self._due, self._task
        if due is None or task is None:
            return
        loop = task.get_loop()
        if loop.time() < due:
            self._set(loop, due)
        else:
            self.expired = True
            task.cancel()
