"""Chunks on their way to a server: they gather for a moment, and are sent together."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from callboard.connections.backoff import Backoff
from callboard.connections.tasks import end
from callboard.domain.codec import encode
from callboard.domain.errors import StoreUnavailable, Unencodable
from callboard.streams.stream import Chunk

_log = logging.getLogger("callboard.streams")
_AT_ONCE = 1_000  # chunks sent together
_MOST = 20_000  # chunks kept while the server is away
_SIZE = 32 * 1024 * 1024  # bytes kept
_PATIENCE = 2.0  # seconds that closing waits for what is still to be sent


class Outgoing(msgspec.Struct, frozen=True):
    """A chunk and its value as JSON."""

    chunk: Chunk
    body: bytes


class Outbox:
    """A bounded queue and the task that empties it.

    Args:
        send: takes a batch to the server. It may be called again with the same chunks. StoreUnavailable keeps
            them for later; any other exception loses them.
        every: seconds for which chunks gather.
    """

    def __init__(self, send: Callable[[Sequence[Outgoing]], Awaitable[None]], *, every: float) -> None:
        self._send = send
        self._every = every
        self._queue: deque[Outgoing] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.healthy = True

    def put(self, chunk: Chunk) -> None:
        """Takes a chunk. Never waits, never fails."""
        try:
            body = encode(chunk.value, f"a {chunk.kind} of run {chunk.run_id}")
        except Unencodable as error:
            _log.warning("a chunk was not published: %s", error)
            return
        self._queue.append(Outgoing(chunk, body))
        self._size += len(body)
        self._shrink()
        self._empty.clear()
        self._filled.set()

    def open(self) -> None:
        """Begins to send."""
        self._task = asyncio.get_running_loop().create_task(self._send_forever())

    async def close(self) -> None:
        """Sends the rest, unless it takes long, and ends."""
        task, self._task = self._task, None
        if task is None:
            return
        if self._queue and self.healthy:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), _PATIENCE)
        await end([task])

    async def _send_forever(self) -> None:
        backoff = Backoff()
        while True:
            if not self._queue:
                self._empty.set()
                self._filled.clear()
                await self._filled.wait()
                await asyncio.sleep(self._every)
            batch = [self._queue.popleft() for _ in range(min(_AT_ONCE, len(self._queue)))]
            self._size -= sum(len(each.body) for each in batch)
            try:
                await self._send(batch)
                self.healthy = True
                backoff.reset()
            except StoreUnavailable as error:
                self._complain("chunks wait until they can be published: %s", error)
                self._queue.extendleft(reversed(batch))
                self._size += sum(len(each.body) for each in batch)
                self._shrink()
                await asyncio.sleep(backoff.pause())
            except Exception as error:  # one bad chunk must not hold up all that follow
                self._complain("chunks were not published: %s", error)
                await asyncio.sleep(backoff.pause())

    def _shrink(self) -> None:
        while self._queue and (len(self._queue) > _MOST or self._size > _SIZE):
            self._size -= len(self._queue.popleft().body)

    def _complain(self, what: str, error: Exception) -> None:
        _log.log(logging.WARNING if self.healthy else logging.DEBUG, what, error)
        self.healthy = False
