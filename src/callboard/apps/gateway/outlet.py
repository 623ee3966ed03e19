"""What waits for one reader of a stream: bounded in bytes, so that a slow reader costs its backlog and no more."""

import asyncio
from collections import deque


class Outlet:
    """Pieces of text on their way to one reader.

    Args:
        limit: bytes that may wait.
        patience: seconds for a reader to make room.

    Attributes:
        slow: the reader made no room for so long: what waited was dropped.
        over: nothing more will come.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self.slow = False
        self.over = False
        self._limit = limit
        self._patience = patience
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def room(self) -> None:
        """Waits until there is room. When there is none for too long the reader is too slow, and the outlet ends."""
        while self._size >= self._limit and not self.over:
            self._room.clear()
            try:
                async with asyncio.timeout(self._patience):
                    await self._room.wait()
            except TimeoutError:
                self.slow = True
                self._pieces.clear()
                self._size = 0
                self.end()

    def add(self, piece: bytes) -> None:
        """Adds a piece, after `room`; nothing once the outlet has ended."""
        if not self.over:
            self._pieces.append(piece)
            self._size += len(piece)
            self._news.set()

    def end(self) -> None:
        """Nothing more will come."""
        self.over = True
        self._news.set()
        self._room.set()

    async def take(self, timeout: float) -> bytes:
        """All that waits; empty when there was nothing for `timeout` seconds, or nothing more will come."""
        if not self._pieces and not self.over:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._news.wait()
            except TimeoutError:
                return b""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        self._room.set()
        return taken
