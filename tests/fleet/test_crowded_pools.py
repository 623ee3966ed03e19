"""Fewer connections than there are who want one, and transactions that lock each other out."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.connections.postgres import Database
from callboard.domain.errors import StoreUnavailable
from callboard.runtime import build
from callboard.store.postgres import PostgresStore
from tests.fleet import audit
from tests.fleet.fleet import fleet
from tests.fleet.orders import Orders
from tests.fleet.town import town
from tests.servers.proxy import FaultProxy
from tests.servers.requests import commits


def crowded(url: str, size: int, *, door: bool = False) -> PostgresStore:
    """A store whose pool has so few connections."""
    store = PostgresStore(url, door=door)
    store._database._size = size
    return store


@pytest.mark.parametrize("size", [1, 2])
async def test_many_who_ask_at_once_take_turns(new_database: Callable[..., str], tmp_path: Path, size: int) -> None:
    orders = Orders(store=new_database("pool"), folder=str(tmp_path))
    async with fleet(orders) as company:
        rt = build(town(orders.outside), orders.settings, worker=False, store=crowded(orders.store, size))
        await rt.open()
        try:
            await company.working(1)
            handles = await asyncio.gather(*(rt.start("chain", [f"c{n}", 2, 0.0]) for n in range(60)))
            looks = [rt.store.runs.get("default", handle.id) for handle in handles]
            found, counts, pages = await asyncio.gather(
                asyncio.gather(*looks),
                asyncio.gather(*(rt.store.runs.counts("default") for _ in range(60))),
                asyncio.gather(*(rt.store.journal.read("default", handle.id) for handle in handles)),
            )
            assert [run.id for run in found] == [handle.id for handle in handles]
            assert all(sum(count.values()) == 60 for count in counts)
            assert all(page for page in pages)
            assert await company.results(handles) == [[f"c{n}", 2, f"charged c{n}/1"] for n in range(60)]
        finally:
            await rt.close()


async def test_who_waits_too_long_is_told_what_to_do(
    new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callboard.connections.postgres._WAIT", 0.2)
    database = Database(new_database("full"), size=1)
    await database.open()
    try:
        async with database.acquire():
            with pytest.raises(StoreUnavailable, match=r"no connection .* became free") as refused:
                async with database.acquire():
                    pass
            assert "pool" in str(refused.value)
        async with database.acquire() as db:
            assert await db.fetchval("SELECT 1") == 1
    finally:
        await database.close()


async def test_transactions_of_users_share_one_connection_even_if_it_is_cut_at_their_commit(
    new_database: Callable[..., str], fault_proxy: Callable[[str], FaultProxy], tmp_path: Path
) -> None:
    direct = new_database("one")
    proxy = fault_proxy(direct)
    app = cb.App("booking")

    async def book(db: Any, name: str) -> str:
        await db.execute("INSERT INTO bookings (run, what) VALUES ($1, $1)", name)
        return name

    @app.flow
    async def booking(ctx: cb.Context, name: str) -> str:
        said: str = await ctx.transaction(book, name)
        return said

    orders = Orders(store=direct, folder=str(tmp_path), engine={"lease": 30.0})
    async with fleet(orders):
        rt = build(app, orders.settings, store=crowded(proxy.url(direct), 1))
        await rt.open()
        try:
            cut = proxy.cut_reply(3, commits)
            handles = [await rt.start("booking", f"b{n}") for n in range(10)]
            async with asyncio.timeout(25):  # nobody waits for a connection that nobody gives back
                assert await asyncio.gather(*(handle.result() for handle in handles)) == [f"b{n}" for n in range(10)]
            assert cut.happened
        finally:
            await rt.close()
        assert not await audit.wrong(direct)


async def test_transactions_that_deadlock_or_cannot_be_serialized_are_repeated(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("locks"), folder=str(tmp_path), engine={"lease": 60.0})
    async with fleet(orders) as company:
        name = orders.store.rpartition("/")[2].partition("?")[0]
        await company.rows(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
        await company.rows("INSERT INTO accounts VALUES (1, 100), (2, 100), (3, 0)")
        await company.working(2)
        handles = await company.begin("moving", [[1, 2], [2, 1]] * 20)
        assert await company.results(handles) == [1, 2] * 20
        assert await company.results(await company.begin("rising", [3])) == [3]
        assert [row["n"] for row in await company.rows("SELECT n FROM accounts ORDER BY id")] == [100, 100, 1]
        deadlocks = await company.row("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert deadlocks[0] > 0  # else nothing was tested
        assert not await audit.wrong(orders.store)
