"""What PostgreSQL does by itself through asyncpg: the same rows in the same shape of table, and no Callboard."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

_ROW = b"x" * 300
_LOG = "CREATE TABLE log (run bigint, seq integer, body bytea, PRIMARY KEY (run, seq))"
_ONE = "INSERT INTO log VALUES ($1, $2, $3)"
_GROUP = "INSERT INTO log SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bytea[])"
_EVENTS = "SELECT seq, kind, path, digest, at, took, body FROM events ORDER BY run, seq"


async def grouped_rows(database: str, size: int, rows: int = 40_000) -> float:
    """Rows a second, in statements of so many rows that belong to as many runs."""
    async with _log(database) as db:
        insert = await db.prepare(_GROUP)
        runs, bodies = list(range(size)), [_ROW] * size
        groups = rows // size
        begun = time.perf_counter()
        for seq in range(groups):
            await insert.fetch(runs, [seq] * size, bodies)
        return groups * size / (time.perf_counter() - begun)


async def single_rows(database: str, rows: int = 400) -> float:
    """Milliseconds a row, each in a transaction of its own."""
    async with _log(database) as db:
        insert = await db.prepare(_ONE)
        begun = time.perf_counter()
        for seq in range(rows):
            await insert.fetch(1, seq, _ROW)
        return (time.perf_counter() - begun) * 1e3 / rows


async def read_rows(store: str) -> float:
    """Microseconds a row to read the only run's events out of a store and decode their bodies."""
    decode = msgspec.json.Decoder().decode
    db = await asyncpg.connect(store)
    try:
        select = await db.prepare(_EVENTS)
        begun = time.perf_counter()
        bodies = [decode(row["body"]) for row in await select.fetch() if row["body"]]
        return (time.perf_counter() - begun) * 1e6 / len(bodies)
    finally:
        await db.close()


@asynccontextmanager
async def _log(database: str) -> AsyncIterator[Any]:
    """A table of rows in a database beside the stores, new each time."""
    db = await asyncpg.connect(database)
    try:
        await db.execute(f"DROP TABLE IF EXISTS log; {_LOG}")
        yield db
    finally:
        await db.close()
