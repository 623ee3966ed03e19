"""What a gateway's process knows of itself: how many streams it keeps open, and whether it is about to end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from fastapi import Request

from callboard.domain.errors import TryLater
from callboard.runtime import Runtime

T = TypeVar("T")
_BACK = 5.0  # seconds after which it may be tried again


class Door:
    """One for each application, kept in its state as `door`.

    Attributes:
        rt: the runtime behind it.
        draining: this process has been told to stop: it still answers, and says that it is not ready.
        leaving: set a little later: what is open is answered, streams are told to go.
        streams: how many streams and long polls are open.
        since: when it was made, in epoch seconds.
    """

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.draining = False
        self.leaving = asyncio.Event()
        self.streams = 0
        self.since = rt.services.clock.now()
        self._most = rt.settings.gateway.streams

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Around something that stays open. Raises TryLater when there are too many of these, or this process ends."""
        if self.leaving.is_set():
            raise TryLater("this process is about to end", retry_after=1.0, remedy="ask again; another one answers")
        if self.streams >= self._most:
            raise TryLater(
                f"this process keeps {self._most:,} streams open already",
                retry_after=_BACK,
                remedy="come back later, or raise CALLBOARD_GATEWAY_STREAMS",
            )
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    async def patiently(self, request: Request, awaited: Awaitable[T]) -> T | None:
        """Waits for something, unless the client goes away or this process is about to end: then None."""
        with self.hold():
            request.state.aside()  # it only waits: others may be worked on
            async with _running(awaited) as wanted, _running(gone(request)) as away, _running(self._left()) as left:
                waiting: list[asyncio.Future[Any]] = [wanted, away, left]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                return wanted.result() if wanted.done() else None

    async def _left(self) -> None:
        await self.leaving.wait()


async def gone(request: Request) -> None:
    """Returns when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def _running(awaited: Awaitable[T]) -> AsyncIterator["asyncio.Future[T]"]:
    task = asyncio.ensure_future(awaited)
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
