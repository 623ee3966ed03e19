"""PostgreSQL: a rival that has not committed yet is waited for, and then seen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from callboard.connections.postgres import Database
from callboard.store.postgres.counters import PostgresCounters
from callboard.store.postgres.sql import statements
from tests.servers.postgres import PostgresServer

SQL = statements("counters")
HOUR = 3_600.0


@pytest.fixture
async def database(
    postgres: PostgresServer, new_database: Callable[..., str], migrated: str
) -> AsyncIterator[Database]:
    database = Database(postgres.roles(new_database("rivals", migrated)).worker)
    await database.open()
    yield database
    await database.close()


async def behind(database: Database, statement: str, values: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
    """What is answered to somebody who asks while a rival's statement is not committed yet."""
    async with database.transaction() as rival:
        await rival.fetch(SQL[statement], *values)
        asked = asyncio.ensure_future(ask())
        async with database.acquire() as look:
            while not await look.fetchval("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"):
                assert not asked.done(), "it did not wait"
                await asyncio.sleep(0.01)
    return await asked


async def test_the_last_place_is_not_given_twice(database: Database) -> None:
    counters = PostgresCounters(database)
    assert await counters.enter("a", "anna", 2, 60)
    assert not await behind(database, "enter", ("a", "ben", 2, 60.0), lambda: counters.enter("a", "cleo", 2, 60))


async def test_the_first_place_is_not_given_twice(database: Database) -> None:
    counters = PostgresCounters(database)
    assert not await behind(database, "enter", ("a", "ben", 1, 60.0), lambda: counters.enter("a", "cleo", 1, 60))


@pytest.mark.parametrize("known", [True, False])
async def test_the_last_unit_is_not_granted_twice(database: Database, known: bool) -> None:
    counters = PostgresCounters(database)
    if known:
        assert await counters.take("a", 9, 10, HOUR) == 0.0
    left = 1.0 if known else 10.0
    wait = await behind(database, "take", ("a", [left], 10.0, HOUR), lambda: counters.take("a", 1, 10, HOUR))
    assert wait > 0.0


@pytest.mark.parametrize("known", [True, False])
async def test_both_failures_count(database: Database, known: bool) -> None:
    counters = PostgresCounters(database)
    if known:
        await counters.add("a", 1, 60)
    assert await behind(database, "add", ("a", 2, 60.0), lambda: counters.add("a", 4, 60)) == 6 + known


async def test_one_of_two_first_values_wins(database: Database) -> None:
    counters = PostgresCounters(database)
    assert not await behind(database, "create", ("a", b"1"), lambda: counters.swap("a", 0, b"2"))
    version, value, _ = await counters.read("a")
    assert value == b"1"
    assert not await behind(database, "swap", ("a", b"3", version), lambda: counters.swap("a", version, b"4"))
    assert (await counters.read("a"))[1] == b"3"
