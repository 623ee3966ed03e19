"""Servers by name, for every test that asks for one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.binaries import NoServer, given_server
from tests.servers.pgbouncer import Bouncer
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.servers.shared import join_or_begin

_CONNECTIONS = "300"


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of this session, closed to other users."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def postgres(session_folder: Path) -> Iterator[PostgresServer]:
    """The session's PostgreSQL: make databases in it, do not hurt it."""
    if (url := given_server("CALLBOARD_TEST_POSTGRES")) is not None:
        server = PostgresServer.given(url)
    else:
        server = join_or_begin(
            session_folder / "postgres.json",
            lambda: PostgresServer.begin(settings={"max_connections": _CONNECTIONS}),
            PostgresServer.join,
        )
    yield server
    server.close()


@pytest.fixture
def new_database(postgres: PostgresServer) -> Iterator[Callable[..., str]]:
    """Makes databases that are dropped after the test: `new_database(hint, template=None) -> url`."""
    made: list[str] = []

    def make(hint: str = "test", template: str | None = None) -> str:
        made.append(postgres.new_database(hint, template))
        return made[-1]

    yield make
    for url in made:
        postgres.drop_database(url)


@pytest.fixture
def private_postgres() -> Iterator[Callable[..., PostgresServer]]:
    """Starts servers that end with the test: `private_postgres(durable=False, **settings)`."""
    made: list[PostgresServer] = []

    def make(durable: bool = False, **settings: object) -> PostgresServer:
        words = {name: str(value) for name, value in settings.items()}
        made.append(PostgresServer.begin(durable=durable, private=True, settings=words))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture(scope="session")
def redis_server(session_folder: Path) -> Iterator[RedisServer]:
    """The session's Redis: use it under `redis_namespace`, do not hurt it."""
    if (url := given_server("CALLBOARD_TEST_REDIS")) is not None:
        server = RedisServer.given(url)
    else:
        server = join_or_begin(session_folder / "redis.json", RedisServer.begin, RedisServer.join)
    yield server
    server.close()


@pytest.fixture
def redis_namespace(redis_server: RedisServer) -> Iterator[str]:
    """A prefix for this test's keys; they are deleted after it."""
    prefix = redis_server.new_namespace()
    yield prefix
    redis_server.clear_namespace(prefix)


@pytest.fixture
def private_redis() -> Iterator[Callable[[], RedisServer]]:
    """Starts servers that end with the test."""
    made: list[RedisServer] = []

    def make() -> RedisServer:
        made.append(RedisServer.begin(private=True))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def pgbouncer() -> Iterator[Callable[..., Bouncer]]:
    """Starts PgBouncers that end with the test: `pgbouncer(*urls, pool_size=5)`. Skips where there is none."""
    made: list[Bouncer] = []

    def make(*urls: str, pool_size: int = 5) -> Bouncer:
        try:
            made.append(Bouncer.begin(urls, pool_size=pool_size))
        except NoServer as missing:
            pytest.skip(f"NOT TESTED behind a pooler: {missing}")
        return made[-1]

    yield make
    for bouncer in made:
        bouncer.close()


@pytest.fixture
def fault_proxy() -> Iterator[Callable[[str], FaultProxy]]:
    """Puts proxies before the servers of PostgreSQL or Redis URLs; they end with the test."""
    made: list[FaultProxy] = []

    def make(url: str) -> FaultProxy:
        made.append(FaultProxy(url))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()
