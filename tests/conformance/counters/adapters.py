"""The places where the suite counts. A new adapter joins by a class here and a line in ADAPTERS."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import apsw
import pytest

from callboard.connections.postgres import Database
from callboard.connections.redis import connect
from callboard.resilience.counters import Counters
from callboard.resilience.in_process import InProcessCounters
from callboard.resilience.redis import RedisCounters
from callboard.store.postgres.counters import PostgresCounters
from callboard.store.sqlite import SqliteStore
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

WINDOW = 60.0  # seconds: the one window of this suite; one of its slots is a second


_OLDER = (
    "UPDATE counter_rates SET at = at - $1::float8, void = void - $1",
    "UPDATE counter_places SET since = since - $1::float8, void = void - $1",
    "UPDATE counter_values SET at = at - $1::float8",
    """UPDATE counter_windows SET void = void - $1::float8, slots = (
        SELECT jsonb_object_agg(key::bigint - round($1), value) FROM jsonb_each(slots))""",
)


_ROWS = """SELECT (SELECT count(*) FROM counter_rates) + (SELECT count(*) FROM counter_places)
    + (SELECT count(*) FROM counter_values) + (SELECT count(*) FROM counter_windows)"""


class Adapter(Protocol):
    """One empty place. `shared` says whether two counters can see it, as two processes would."""

    name: str
    shared: bool

    def counters(self) -> AbstractAsyncContextManager[Counters]:
        """Open counters, as one more process would have them."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """Makes all that was counted so far that much older; a negative number sets the clock back."""
        ...

    async def rows(self, counters: Counters) -> int:
        """How much is stored."""
        ...


class InProcess:
    name = "in process"
    shared = False

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._late = 0.0

    @asynccontextmanager
    async def counters(self) -> AsyncIterator[Counters]:
        yield InProcessCounters(self._clock)

    async def pass_time(self, seconds: float) -> None:
        self._late += seconds

    async def rows(self, counters: Counters) -> int:
        assert isinstance(counters, InProcessCounters)
        return len(counters._rates) + len(counters._places) + len(counters._values) + len(counters._windows)

    def _clock(self) -> float:
        return time.monotonic() + self._late


class Sqlite(InProcess):
    name = "sqlite"
    shared = True

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        folder: Path = request.getfixturevalue("tmp_path")
        self._path = str(folder / "store.db")

    @asynccontextmanager
    async def counters(self) -> AsyncIterator[Counters]:
        store = SqliteStore(self._path, monotonic=self._clock)
        await store.open()
        yield store.counters
        await store.close()

    async def rows(self, counters: Counters) -> int:
        db = apsw.Connection(self._path)
        count: int = db.execute(_ROWS).fetchone()[0]  # type: ignore[index]
        db.close()
        return count


class Postgres:
    """A database of the schema, used by a role that is neither its owner nor a superuser."""

    name = "postgres"
    shared = True

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._server: PostgresServer = request.getfixturevalue("postgres")
        new_database: Callable[..., str] = request.getfixturevalue("new_database")
        self._owner = new_database("counters", request.getfixturevalue("migrated"))
        self._worker = self._server.roles(self._owner).worker

    @asynccontextmanager
    async def counters(self) -> AsyncIterator[Counters]:
        database = Database(self._worker)
        await database.open()
        yield PostgresCounters(database)
        await database.close()

    async def pass_time(self, seconds: float) -> None:
        db = await Database(self._owner).connect()
        for statement in _OLDER:
            await db.execute(statement, seconds)
        await db.close()

    async def rows(self, counters: Counters) -> int:
        db = await Database(self._owner).connect()
        count: int = await db.fetchval(_ROWS)
        await db.close()
        return count


class InRedis:
    name = "redis"
    shared = True

    def __init__(self, request: pytest.FixtureRequest) -> None:
        server: RedisServer = request.getfixturevalue("redis_server")
        self._url = server.url
        self._prefix: str = request.getfixturevalue("redis_namespace")

    @asynccontextmanager
    async def counters(self) -> AsyncIterator[Counters]:
        client = connect(self._url)
        yield RedisCounters(client, self._url, prefix=self._prefix)
        await client.aclose()

    async def pass_time(self, seconds: float) -> None:
        client: Any = connect(self._url)
        async for key in client.scan_iter(f"{self._prefix}*"):
            if (left := await client.pttl(key)) >= 0:
                await client.pexpire(key, max(0, int(left - seconds * 1000)))
            match key.rpartition(":")[2]:
                case "places":
                    for holder, _ in await client.zrange(key, 0, -1, withscores=True):
                        await client.zincrby(key, -seconds, holder)
                case "window":
                    found = await client.hgetall(key)
                    for slot, n in found.items():
                        await client.hdel(key, slot)
                        await client.hset(key, str(int(slot) - round(seconds)), n)
                case _:
                    if await client.exists(key):
                        await client.hincrbyfloat(key, "at", -seconds)
        await client.aclose()

    async def rows(self, counters: Counters) -> int:
        client: Any = connect(self._url)
        count = len([key async for key in client.scan_iter(f"{self._prefix}*")])
        await client.aclose()
        return count


ADAPTERS: list[type[InProcess] | type[Postgres] | type[InRedis]] = [InProcess, Sqlite, Postgres, InRedis]
