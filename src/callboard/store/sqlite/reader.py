"""Reading beside the writer, on a thread of its own so that a long read never stops the event loop."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import apsw

from callboard.connections.sqlite import MEMORY, connect, explained
from callboard.domain.errors import StoreUnavailable
from callboard.store.sqlite.writer import Writer

T = TypeVar("T")


class Reader:
    """A read-only connection; for a database in memory, which has only one connection, the writer's."""

    def __init__(self, path: str, writer: Writer) -> None:
        self._path = path
        self._writer = writer
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="callboard-reader")
        self._db: apsw.Connection | None = None
        self._closed = False

    def open(self) -> None:
        """Connects."""
        if self._path != MEMORY:
            self._db = connect(self._path, readonly=True)

    async def call(self, work: Callable[[apsw.Connection], T]) -> T:
        """Runs a function in one read transaction and returns what it returns."""
        if self._closed:
            raise StoreUnavailable(f"{self._path} is closed", remedy="open the store again")
        if self._db is None:
            result: T = await self._writer.call(work)
            return result
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, work)

    def close(self) -> None:
        """Disconnects."""
        self._closed = True
        self._threads.shutdown()
        if self._db is not None:
            self._db.close()

    def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        assert self._db is not None
        with explained(self._path):
            self._db.execute("BEGIN")
            try:
                result = work(self._db)
            except BaseException:
                with contextlib.suppress(apsw.Error):  # the first error says more
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            return result
