"""A bell within one event loop: what rings in one turn of the loop arrives together in the next."""

import asyncio
from collections.abc import Iterable

from callboard.dispatch.bell import Hint, Listener


class InProcessBell:
    """See callboard.dispatch.bell.Bell."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._waiting: list[Hint] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def healthy(self) -> bool:
        return True  # there is nobody else to reach

    def ring(self, hints: Iterable[Hint]) -> None:
        """Tells every listener in the next turn of the loop."""
        if self._loop is None:
            return  # nobody can hear it, and hints may be lost
        silent = not self._waiting
        self._waiting.extend(hints)
        if silent and self._waiting:
            self._loop.call_soon(self._tell)

    def listen(self, listener: Listener) -> None:
        """Adds a listener."""
        self._listeners.append(listener)

    def mark(self) -> int:
        """Nothing has to be answered here: every process hears for itself."""
        return 0

    def answered(self, mark: int) -> None:
        """Nothing has to be answered here."""

    async def open(self) -> None:
        """Begins to listen."""
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Ends it."""
        self._loop = None
        self._listeners.clear()

    def _tell(self) -> None:
        hints, self._waiting = self._waiting, []
        for listener in self._listeners:
            if self._loop is not None:
                self._loop.call_soon(listener, hints)  # one that fails keeps nobody else from hearing
