"""The databases that the suite runs against. A new adapter joins by a class here and a line in ADAPTERS."""

import time
from pathlib import Path
from typing import Protocol

from callboard.store.sqlite import SqliteStore
from callboard.store.store import Store


class Adapter(Protocol):
    """One empty database, and stores that speak to it.

    `shared` says whether two stores can see the same database, as two processes would.
    """

    name: str
    shared: bool

    def store(self) -> Store:
        """A store that is not open yet."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """Makes every heartbeat so far that much older."""
        ...


class SqliteFile:
    """One file. Heartbeats are read against a clock that the suite moves on."""

    name = "sqlite file"
    shared = True

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "store.db")
        self._late = 0.0

    def store(self) -> Store:
        return SqliteStore(self._path, monotonic=self._monotonic)

    async def pass_time(self, seconds: float) -> None:
        self._late += seconds

    def _monotonic(self) -> float:
        return time.monotonic() + self._late


class SqliteMemory(SqliteFile):
    """A database that lives and dies with its one store."""

    name = "sqlite memory"
    shared = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._path = ":memory:"


ADAPTERS: list[type[SqliteFile]] = [SqliteFile, SqliteMemory]
