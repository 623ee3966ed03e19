"""Streams within one process."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from callboard.streams.stream import Chunk

_BACKLOG = 1_000  # chunks kept for a slow reader


class InProcessStream:
    """See callboard.streams.stream.Stream."""

    def __init__(self) -> None:
        self._readers: dict[str, list[tuple[deque[Chunk], asyncio.Event]]] = {}

    def publish(self, chunk: Chunk) -> None:
        """Hands a chunk to the run's readers."""
        for backlog, news in self._readers.get(chunk.run_id, ()):
            backlog.append(chunk)
            news.set()

    async def follow(self, run_id: str) -> AsyncIterator[Chunk]:
        """Chunks from now on."""
        reader: tuple[deque[Chunk], asyncio.Event] = (deque(maxlen=_BACKLOG), asyncio.Event())
        backlog, news = reader
        self._readers.setdefault(run_id, []).append(reader)
        try:
            while True:
                await news.wait()
                news.clear()
                while backlog:
                    yield backlog.popleft()
        finally:
            readers = self._readers[run_id]
            readers.remove(reader)
            if not readers:
                del self._readers[run_id]
