"""Writers that meet at an account, and a sweep that meets a run that goes on: each waits for the other's commit."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from callboard.domain.budget import ZERO, Amount, Balance
from callboard.domain.run import RunStatus
from callboard.store.postgres import PostgresStore
from tests.conformance.store.charging import ONE, balance, charge, reserve, settle
from tests.conformance.store.play import ANNA, BEN, T0, end, many_running, running

BOUND = 37
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@asynccontextmanager
async def stores(url: str) -> AsyncIterator[tuple[PostgresStore, PostgresStore, Any]]:
    """Two processes' stores, and a connection of somebody's who gets in their way."""
    first, second = PostgresStore(url), PostgresStore(url)
    await first.open()
    await second.open()
    await first.claims.register(ANNA, T0)
    await second.claims.register(BEN, T0)
    db = await asyncpg.connect(url)
    yield first, second, db
    await db.close()
    await first.close()
    await second.close()


async def until_waiting(url: str, count: int) -> None:
    """Until so many sessions wait for a lock."""
    db = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(60):
            while await db.fetchval(_WAITING) < count:
                await asyncio.sleep(0.01)
    finally:
        await db.close()


async def test_two_processes_that_reserve_at_the_same_moment_keep_the_bound(new_database: Callable[..., str]) -> None:
    url = new_database("moment")
    async with stores(url) as (first, second, db):
        opener = await running(first)
        await reserve(first, opener, charge("tenant"))
        await settle(first, opener, Amount())
        mine, theirs = await many_running(first, 50), await many_running(second, 50, BEN)
        async with db.transaction():
            await db.execute("SELECT FROM budget_accounts FOR UPDATE")
            only = charge("tenant", calls=BOUND)
            asked = [reserve(first, held, only) for held in mine] + [reserve(second, held, only) for held in theirs]
            await until_waiting(url, 2)
        results = await asyncio.gather(*asked)
        assert sum(result is None for result in results) == BOUND
        assert (await balance(first)).held.calls == BOUND


async def test_and_also_when_the_account_is_new_to_both(new_database: Callable[..., str]) -> None:
    url = new_database("new")
    async with stores(url) as (first, second, db):
        mine, theirs = await many_running(first, 50), await many_running(second, 50, BEN)
        async with db.transaction():
            await db.execute("INSERT INTO budget_accounts (tenant, name) VALUES ('acme', 'tenant')")
            only = charge("tenant", calls=BOUND)
            asked = [reserve(first, held, only) for held in mine] + [reserve(second, held, only) for held in theirs]
            await until_waiting(url, 2)
        results = await asyncio.gather(*asked)
        assert sum(result is None for result in results) == BOUND


async def test_a_settlement_and_a_reservation_of_two_processes_both_count(new_database: Callable[..., str]) -> None:
    url = new_database("both")
    async with stores(url) as (first, second, db):
        mine, theirs = await running(first), await running(second, BEN)
        await reserve(first, mine, charge())
        async with db.transaction():
            await db.execute("SELECT FROM budget_accounts FOR UPDATE")
            settled = asyncio.create_task(settle(first, mine, Amount(calls=1)))
            asked = reserve(second, theirs, charge())
            await until_waiting(url, 2)
        await asyncio.gather(settled, asked)
        assert await balance(first) == Balance(Amount(calls=1), ONE)


async def test_a_sweep_leaves_a_run_that_goes_on_in_this_moment(new_database: Callable[..., str]) -> None:
    url = new_database("moment")
    async with stores(url) as (first, second, db):
        held = await running(first)
        await reserve(first, held, charge())
        await first.claims.settle(held, end(2, RunStatus.BLOCKED))
        async with db.transaction():
            await db.execute("UPDATE runs SET status = 'ready'")
            swept = asyncio.create_task(second.budgets.sweep())
            await until_waiting(url, 1)
        assert await swept == 0
        assert await balance(first) == Balance(ZERO, ONE)


async def test_two_sweeps_of_one_moment_charge_once(new_database: Callable[..., str]) -> None:
    url = new_database("sweeps")
    async with stores(url) as (first, second, db):
        held = await running(first)
        await reserve(first, held, charge())
        await first.claims.settle(held, end(2))
        async with db.transaction():
            await db.execute("SELECT FROM runs FOR UPDATE")
            swept = asyncio.gather(first.budgets.sweep(), second.budgets.sweep())
            await until_waiting(url, 2)
        assert sorted(await swept) == [0, 1]
        assert await balance(first) == Balance(ONE, ZERO)


async def test_holds_of_a_run_that_is_no_more_are_charged(new_database: Callable[..., str]) -> None:
    """As after a restore in which a part was missing."""
    url = new_database("gone")
    async with stores(url) as (first, second, db):
        await reserve(first, await running(first), charge())
        await db.execute("DELETE FROM runs")
        assert sum(await asyncio.gather(first.budgets.sweep(), second.budgets.sweep())) == 1
        assert await balance(first) == Balance(ONE, ZERO)
