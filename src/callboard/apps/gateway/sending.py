"""A stream of server-sent events as an ASGI answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from callboard.apps.entrance.disclosure import disclosed
from callboard.apps.gateway.door import Door, gone
from callboard.apps.gateway.following import end_task, message
from callboard.apps.gateway.outlet import Outlet
from callboard.domain.errors import CallboardError

_log = logging.getLogger("callboard.gateway")
_ALIVE = b": alive\n\n"
_RETRY = b"retry: 1000\n\n"  # milliseconds after which a reader comes back
_RECHECK = 60.0  # seconds: so long after a key was revoked a stream may go on

Produce = Callable[[Outlet], Awaitable[object]]


class EventStream(Response):
    """Sends what a producer puts into its outlet, until that ends, the reader goes, is too slow, or the process ends.

    Args:
        door: counts it, and says when the process ends.
        produce: puts events into the outlet; its end is the stream's.
        recheck: raises a CallboardError once who reads may no longer.
    """

    media_type = "text/event-stream"
    opening = _RETRY

    def __init__(self, door: Door, produce: Produce, recheck: Callable[[], Awaitable[object]]) -> None:
        super().__init__(media_type=self.media_type)
        settings = door.rt.settings.gateway
        self._door = door
        self._produce = produce
        self._recheck = recheck
        self._heartbeat = settings.heartbeat
        self._backlog = settings.backlog
        self._patience = settings.header_time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the stream."""
        with self._door.hold():
            outlet = Outlet(self._backlog, self._patience)
            loop = asyncio.get_running_loop()
            tasks = [
                loop.create_task(self._fill(outlet)),
                loop.create_task(_ending(gone(Request(scope, receive)), outlet)),
                loop.create_task(_ending(self._door.leaving.wait(), outlet)),
            ]
            metrics = self._door.rt.services.metrics
            metrics.streams += 1
            try:
                state = scope.get("state", {})
                await self._send(outlet, send, state.get("abort"), state.get("head", False))
            finally:
                metrics.streams -= 1
                for task in tasks:
                    await end_task(task)

    async def _send(self, outlet: Outlet, send: Send, abort: Callable[[], None] | None, head: bool) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if head:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await send({"type": "http.response.body", "body": self.opening, "more_body": True})
        loop = asyncio.get_running_loop()
        checked = loop.time()
        while True:
            pieces = await outlet.take(self._heartbeat)
            if outlet.over:
                break
            if not await self._sent(pieces or _ALIVE, send, abort):
                return
            if loop.time() - checked >= _RECHECK:
                checked = loop.time()
                await self._check(outlet)
        last = pieces
        if outlet.slow:
            last = self._word("slow", "overloaded", "read faster; come back with the id that was seen last")
        elif self._door.leaving.is_set():
            last += self._word("bye", "try_later", "come back with the id that was seen last")
        if await self._sent(last, send, abort):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _word(self, name: str, code: str, said: str) -> bytes:
        """Why the stream ends before its end: `slow`, `bye` or `error`."""
        return message(name, {"code": code, "detail": said} if name == "error" else {"remedy": said})

    async def _sent(self, piece: bytes, send: Send, abort: Callable[[], None] | None) -> bool:
        """False when the reader took nothing for so long that it is cut off."""
        try:
            async with asyncio.timeout(2 * self._patience):  # one to be found too slow, one to take in that it was
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            if abort is not None:
                abort()
            return False
        return True

    async def _fill(self, outlet: Outlet) -> None:
        try:
            await self._produce(outlet)
        except CallboardError as error:
            outlet.add(self._word("error", error.code, disclosed(error).what))
        except Exception:
            _log.exception("a stream broke off")
        finally:
            outlet.end()

    async def _check(self, outlet: Outlet) -> None:
        try:
            await self._recheck()
        except CallboardError as error:
            outlet.add(self._word("error", error.code, disclosed(error).what))
            outlet.end()


async def _ending(awaited: Awaitable[object], outlet: Outlet) -> None:
    try:
        await awaited
    finally:
        outlet.end()
