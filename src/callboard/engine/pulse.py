"""Heartbeats of a long call: a call that stops beating is given up, and what it said last is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from callboard.domain.codec import decode, encode
from callboard.domain.event import EventKind
from callboard.domain.heartbeat import Heartbeat
from callboard.engine.executing import Executing

_SHARE = 0.25  # of the heartbeat limit: details are journaled no more often


class Pulse:
    """Watches one call.

    Args:
        limit: seconds between two beats at most.
        last: the details that an attempt before this one journaled.
    """

    def __init__(self, execution: Executing, path: str, digest: bytes, limit: float, last: Any) -> None:
        self.heartbeat = Heartbeat(self._beat, last)
        self.stopped = False  # True once the call was given up
        self._execution = execution
        self._path = path
        self._digest = digest
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Timeout | None = None
        self._journaled = float("-inf")

    async def watch(self, run: Callable[[], Awaitable[Any]]) -> Any:
        """Awaits the call. Raises TimeoutError when it has not beaten for too long."""
        try:
            async with asyncio.timeout(self._limit) as self._timer:
                return await run()
        finally:
            self.stopped = self._timer is not None and self._timer.expired()
            self._timer = None

    def _beat(self, details: Any) -> None:
        body = b"" if details is None else encode(details, "the details of a heartbeat")
        self._loop.call_soon_threadsafe(self._arrived, body)

    def _arrived(self, body: bytes) -> None:
        now = self._loop.time()
        if self._timer is None or self._timer.expired():
            return  # a thread that runs on after its call was given up
        self._timer.reschedule(now + self._limit)
        if body:
            self._execution.replay.heard(self._path, decode(body))
        if body and now - self._journaled >= self._limit * _SHARE:
            self._journaled = now
            written = asyncio.ensure_future(self._execution.record(EventKind.BEAT, self._path, self._digest, body))
            written.add_done_callback(_seen)


def _seen(written: asyncio.Future[Any]) -> None:
    # A beat that was refused says what the call's outcome is going to be told: this worker lost the run.
    if not written.cancelled():
        written.exception()
