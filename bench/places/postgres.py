"""Stores in a PostgreSQL with full durability: one that $CALLBOARD_BENCH_POSTGRES names, or one of our own."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from bench.places import disk, postgres_floors
from bench.places.server import Server
from tests.servers.binaries import NoServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

POSTGRES, REDIS = "CALLBOARD_BENCH_POSTGRES", "CALLBOARD_BENCH_REDIS"
_CONNECTIONS = "300"
# What is kept: the store's tables with their indexes and large values. The catalogue is not, nor are tables that a
# crash empties, such as that of streams, whose rows go by themselves after an hour.
_BYTES = """
SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""


class PostgresPlace:
    """Hands out databases that nobody used before."""

    kind = "postgres"

    def __init__(self, cluster: PostgresServer, redis: str | None) -> None:
        ((checkpointer,),) = cluster.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        ((version,),) = cluster.execute("SHOW server_version")
        self.server = Server(cluster.url, checkpointer, f"PostgreSQL {version.split()[0]}")
        self.redis = redis
        self._cluster = cluster
        self._floor = cluster.new_database("floor")

    def facts(self) -> Iterator[tuple[str, str]]:
        shown = {
            name: str(self._cluster.execute(f"SHOW {name}")[0][0])
            for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        }
        lasting = shown["fsync"] == "on" and shown["synchronous_commit"] != "off"
        yield "postgres", ", ".join([shown["server_version"], *(f"{k}={v}" for k, v in list(shown.items())[1:])])
        if not lasting:
            yield "warning", "a commit of this server can be lost: the figures mean nothing"
        if self._cluster.own:
            yield from disk.facts(Path(tempfile.gettempdir()), "name a folder on a disk in TMPDIR")
        if not self.server.seen:
            yield "warning", "the server's processes cannot be seen from here: its processor time is not measured"
        yield "redis", "measured beside it" if self.redis else f"none found; name one in {REDIS}"

    def store(self, hint: str) -> str:
        return self._cluster.new_database(hint)

    async def settled_bytes(self, store: str) -> int:
        db = await asyncpg.connect(store)
        try:
            await db.execute("VACUUM")
            await db.execute("CHECKPOINT")
            return int(await db.fetchval(_BYTES) or 0)
        finally:
            await db.close()

    async def grouped_rows(self, size: int = 200) -> float:
        return await postgres_floors.grouped_rows(self._floor, size)

    async def single_rows(self) -> float:
        return await postgres_floors.single_rows(self._floor)

    async def read_rows(self, store: str) -> float:
        return await postgres_floors.read_rows(store)

    @asynccontextmanager
    async def snapshot(self, store: str) -> AsyncIterator[None]:
        db = await asyncpg.connect(store)
        try:
            await db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await db.fetchval("SELECT count(*) FROM runs")
            yield
        finally:
            await db.close()


@contextmanager
def postgres_place(**settings: str) -> Iterator[PostgresPlace]:
    """A server, and a Redis where there is one; both end with the block if they are our own. Settings are of our
    own server."""
    with ExitStack() as held:
        cluster = _postgres(settings)
        held.callback(cluster.close)
        yield PostgresPlace(cluster, _redis(held))


def _postgres(settings: dict[str, str]) -> PostgresServer:
    if url := os.environ.get(POSTGRES):
        return PostgresServer.given(url)
    return PostgresServer.begin(durable=True, private=True, settings={"max_connections": _CONNECTIONS, **settings})


def _redis(held: ExitStack) -> str | None:
    if url := os.environ.get(REDIS):
        return url
    try:
        server = RedisServer.begin(private=True)
    except NoServer:
        return None
    held.callback(server.close)
    return server.url
