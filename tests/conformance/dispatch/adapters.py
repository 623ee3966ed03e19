"""The bells that the suite rings. A new adapter joins by a class here and a line in ADAPTERS."""

import itertools
import secrets
from pathlib import Path
from typing import Protocol

import pytest

from callboard.dispatch.bell import Bell
from callboard.dispatch.fifo import FifoBell
from callboard.dispatch.in_process import InProcessBell
from callboard.dispatch.postgres import PostgresBell
from callboard.dispatch.redis_streams import RedisBell


class Adapter(Protocol):
    """Bells that hear each other, one for each process. `shared` is False if there can be only one."""

    name: str
    shared: bool

    def bell(self) -> Bell:
        """A bell that is not open yet, as one more process would have it."""
        ...


class InProcess:
    name = "in process"
    shared = False

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        pass

    def bell(self) -> Bell:
        return InProcessBell()


class Fifo:
    name = "fifo"
    shared = True

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self._folder = folder / "live"
        self._numbers = itertools.count()

    def bell(self) -> Bell:
        return FifoBell(self._folder, f"process-{next(self._numbers)}", InProcessBell())


class Postgres:
    name = "postgres"
    shared = True

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self._url = request.getfixturevalue("postgres").url
        self._channel = f"bell {secrets.token_hex(8)}"
        self._numbers = itertools.count()

    def bell(self) -> Bell:
        return PostgresBell(self._url, InProcessBell(), f"process-{next(self._numbers)}", channel=self._channel)


class RedisStreams:
    name = "redis"
    shared = True

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self._url = request.getfixturevalue("redis_server").url
        self._namespace = f"test-{secrets.token_hex(8)}"
        self._numbers = itertools.count()

    def bell(self) -> Bell:
        return RedisBell(self._url, InProcessBell(), self._namespace, f"process-{next(self._numbers)}", takeover=0.5)


ADAPTERS: list[type[InProcess] | type[Fifo] | type[Postgres] | type[RedisStreams]] = [
    InProcess,
    Fifo,
    Postgres,
    RedisStreams,
]
