"""The streams that the suite reads. A new adapter joins by a class here and a line in ADAPTERS."""

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import Protocol

import pytest

from callboard.connections.postgres import Database
from callboard.store.postgres.migrate import migrate
from callboard.streams.in_process import InProcessStream
from callboard.streams.postgres import PostgresStream
from callboard.streams.redis import RedisStream
from callboard.streams.stream import Stream


class Adapter(Protocol):
    """Streams that reach each other, one for each process. `shared` is False if there can be only one."""

    name: str
    shared: bool

    def stream(self) -> Stream:
        """A stream that is not open yet, of one more worker."""
        ...

    def door(self) -> Stream:
        """The same, of a process that only reads."""
        ...

    def nowhere(self) -> Stream:
        """One whose server is not there."""
        ...


class InProcess:
    name = "in process"
    shared = False

    def __init__(self, request: pytest.FixtureRequest) -> None:
        pass

    def stream(self) -> Stream:
        return InProcessStream()

    door = nowhere = stream


class Postgres:
    name = "postgres"
    shared = True

    def __init__(self, request: pytest.FixtureRequest) -> None:
        new_database: Callable[..., str] = request.getfixturevalue("new_database")
        url = new_database("chunks", template=request.getfixturevalue("migrated"))
        self.roles = request.getfixturevalue("postgres").roles(url)
        self._streams: list[PostgresStream] = []

    def stream(self) -> PostgresStream:
        made = PostgresStream(self.roles.worker, announce=self._announce)
        self._streams.append(made)
        return made

    def door(self) -> PostgresStream:
        made = PostgresStream(self.roles.door, door=True)
        self._streams.append(made)
        return made

    def nowhere(self) -> PostgresStream:
        return PostgresStream("postgresql://nobody@127.0.0.1:1/nothing")

    def _announce(self, run_ids: list[str]) -> None:
        for each in self._streams:
            each.heard(run_ids)


class Unannounced(Postgres):
    """Without a bell: readers find chunks by looking."""

    name = "postgres without a bell"

    def _announce(self, run_ids: list[str]) -> None:
        pass


class Redis:
    name = "redis"
    shared = True

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._url = request.getfixturevalue("redis_server").url
        self._namespace = f"test-{secrets.token_hex(8)}"
        self._numbers = itertools.count()

    def stream(self) -> Stream:
        return RedisStream(self._url, self._namespace, f"process-{next(self._numbers)}")

    door = stream

    def nowhere(self) -> Stream:
        return RedisStream("redis://127.0.0.1:1", self._namespace, "nobody")


ADAPTERS: list[type[InProcess] | type[Postgres] | type[Redis]] = [InProcess, Postgres, Unannounced, Redis]


def prepare(url: str) -> None:
    """Makes the tables in a database that others are cloned from."""
    asyncio.run(_prepare(url))


async def _prepare(url: str) -> None:
    await migrate(Database(url))
