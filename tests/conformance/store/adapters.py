"""The databases that the suite runs against. A new adapter joins by a class here and a line in ADAPTERS."""

import time
from pathlib import Path
from typing import Protocol, Self

import asyncpg
import pytest

from callboard.store.postgres import PostgresStore
from callboard.store.sqlite import SqliteStore
from callboard.store.store import Store
from tests.conformance.store.ledger import PostgresLedger, SqliteLedger
from tests.conformance.store.postgres_home import PostgresHome
from tests.servers.pgbouncer import Bouncer


class Adapter(Protocol):
    """One empty database, and stores that speak to it.

    `shared` says whether two stores can see the same database, as two processes would.
    """

    name: str
    shared: bool

    @classmethod
    def make(cls, request: pytest.FixtureRequest) -> Self:
        """The adapter on a database that is empty now."""
        ...

    def store(self) -> Store:
        """A store that is not open yet."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """Makes every heartbeat so far that much older."""
        ...

    async def ledger(self, store: Store) -> SqliteLedger | PostgresLedger:
        """An empty table of the user's own in the same database."""
        ...


class SqliteFile:
    """One file. Heartbeats are read against a clock that the suite moves on."""

    name = "sqlite file"
    shared = True

    def __init__(self, path: str) -> None:
        self._path = path
        self._late = 0.0

    @classmethod
    def make(cls, request: pytest.FixtureRequest) -> Self:
        folder: Path = request.getfixturevalue("tmp_path")
        return cls(str(folder / "store.db"))

    def store(self) -> Store:
        return SqliteStore(self._path, monotonic=self._monotonic)

    async def pass_time(self, seconds: float) -> None:
        self._late += seconds

    async def ledger(self, store: Store) -> SqliteLedger:
        assert isinstance(store, SqliteStore)
        return await SqliteLedger(store).open()

    def _monotonic(self) -> float:
        return time.monotonic() + self._late


class SqliteMemory(SqliteFile):
    """A database that lives and dies with its one store."""

    name = "sqlite memory"
    shared = False

    @classmethod
    def make(cls, request: pytest.FixtureRequest) -> Self:
        return cls(":memory:")


class Postgres:
    """One database for each process of the tests, emptied before each test; stores log in as a worker."""

    name = "postgres"
    shared = True

    def __init__(self, home: PostgresHome) -> None:
        self._home = home

    @classmethod
    def make(cls, request: pytest.FixtureRequest) -> Self:
        home: PostgresHome = request.getfixturevalue("postgres_home")
        home.empty()
        return cls(home)

    def store(self) -> Store:
        return PostgresStore(self._home.worker)

    async def pass_time(self, seconds: float) -> None:
        db = await asyncpg.connect(self._home.owner)
        try:
            await db.execute("UPDATE workers SET beat = beat - make_interval(secs => $1)", seconds)
        finally:
            await db.close()

    async def ledger(self, store: Store) -> PostgresLedger:
        return await PostgresLedger(self._home.owner).open()


class PostgresBounced(Postgres):
    """The same through a PgBouncer that gives each transaction another connection."""

    name = "pgbouncer"

    def __init__(self, home: PostgresHome, bouncer: Bouncer) -> None:
        super().__init__(home)
        self._bouncer = bouncer

    @classmethod
    def make(cls, request: pytest.FixtureRequest) -> Self:
        bouncer: Bouncer = request.getfixturevalue("postgres_bouncer")
        home: PostgresHome = request.getfixturevalue("postgres_home")
        home.empty()
        return cls(home, bouncer)

    def store(self) -> Store:
        return PostgresStore(self._bouncer.url(self._home.worker) + "?pgbouncer=1")


ADAPTERS: list[type[Adapter]] = [SqliteFile, SqliteMemory, Postgres, PostgresBounced]
