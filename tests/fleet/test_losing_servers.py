"""PostgreSQL or Redis are hurt under load: nothing that was told is lost, nothing is done twice."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fleet import audit
from tests.fleet.fleet import Fleet, attended, fleet, patiently, result, until
from tests.fleet.orders import Orders
from tests.fleet.outside import Outside
from tests.fleet.test_killed_at_every_commit import effects, expected
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.servers.requests import commits


async def load(company: Fleet, hurt: Callable[[], Any]) -> None:
    """Runs of several kinds begin before, while and after something is hurt, three times."""
    outside = Outside(company.orders.outside)
    chains: list[Any] = []
    for turn in range(3):
        chains += await company.begin("chain", [[f"t{turn}c{n}", 10, 0.03] for n in range(10)])
        chains += await company.begin("posting", [f"t{turn}p{n}" for n in range(10)])
        chains += await company.begin("waiting", [f"t{turn}w{n}" for n in range(5)])
        await until(lambda turn=turn: len(outside.calls(f"charge t{turn}")) >= 20, "nothing is done")  # type: ignore[misc]
        await asyncio.to_thread(hurt)
        for handle in chains[-5:]:
            await patiently(partial(once, handle, turn))
    expected: list[Any] = []
    for turn in range(3):
        expected += [[f"t{turn}c{n}", 10, f"charged t{turn}c{n}/9"] for n in range(10)]
        expected += [f"shipped t{turn}p{n}" for n in range(10)]
        expected += [[f"t{turn}w{n}", turn] for n in range(5)]
    assert await company.results(chains) == expected
    assert not outside.wrong()
    links = {f"charge t{turn}c{n}/{m}" for turn in range(3) for n in range(10) for m in range(10)}
    assert outside.effects() == links | {f"ship t{turn}p{n}" for turn in range(3) for n in range(10)}
    # A signal whose sender heard nothing may be there twice; it was sent again on purpose.
    found = [what for what in await audit.wrong(company.direct) if not what.startswith("letters in ended runs")]
    assert not found


async def once(handle: Any, value: int) -> None:
    """Sends a signal, unless the run has ended by one that came through without its sender's knowing."""
    if not (await handle.status()).ended:
        await handle.signal("go", value)


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
async def test_postgresql_is_restarted(
    private_postgres: Callable[..., PostgresServer], tmp_path: Path, how: Any
) -> None:
    server = private_postgres()
    orders = Orders(store=server.new_database("restarts"), folder=str(tmp_path))
    async with fleet(orders) as company, attended(company.door):
        workers = await company.working(2)
        await load(company, lambda: server.restart(how))
        assert all(worker.alive for worker in workers)


@pytest.mark.parametrize("cut", ["cut_reply", "cut_request"])
@pytest.mark.parametrize(
    "commits_cut", [5, pytest.param(40, marks=[pytest.mark.soak, pytest.mark.timeout(900)])], ids=["some", "all"]
)
async def test_postgresql_is_restarted_at_a_commit_whose_outcome_nobody_heard(
    private_postgres: Callable[..., PostgresServer],
    fault_proxy: Callable[[str], FaultProxy],
    tmp_path: Path,
    cut: str,
    commits_cut: int,
) -> None:
    server = private_postgres(durable=True)
    direct = server.new_database("unheard")
    proxy = fault_proxy(direct)
    orders = Orders(store=direct, folder=str(tmp_path))
    async with fleet(orders) as company, attended(company.door):
        await company.working(1, store=proxy.url(direct))
        names = [f"n{nth}" for nth in range(1, commits_cut + 1)]
        happened = 0
        for nth, name in enumerate(names, 1):
            unheard = getattr(proxy, cut)(nth % 10 + 1, commits)
            (handle,) = await company.begin("everything", [name])
            await handle.signal("go", "now")
            ended = asyncio.create_task(result(handle))
            await until(lambda: unheard.happened or ended.done(), "neither a cut nor an end")  # noqa: B023
            happened += unheard.happened
            await asyncio.to_thread(server.restart, "immediate")
            # Others write at once: what they do must not be taken for what the worker had asked for.
            others = await company.begin("waiting", [f"{name}-{n}" for n in range(5)])
            assert await ended == expected(name)
            proxy.heal()
            for other in others:
                await other.cancel()
        assert happened >= len(names) // 2  # one that is ordered late may come when the run has no more commits
        outside = Outside(orders.outside)
        assert not outside.wrong()
        assert outside.effects() == set().union(*(effects(name) for name in names))
        assert len(await company.rows("SELECT FROM bookings")) == len(names)
        await company.until_row("SELECT 1 FROM runs HAVING bool_and(finished_at IS NOT NULL)")
        assert not await audit.wrong(direct)


async def test_all_connections_to_postgresql_are_cut(
    new_database: Callable[..., str], fault_proxy: Callable[[str], Any], tmp_path: Path
) -> None:
    direct = new_database("cuts")
    proxy = fault_proxy(direct)
    orders = Orders(store=direct, folder=str(tmp_path))
    async with fleet(orders) as company, attended(company.door):
        workers = await company.working(2, store=proxy.url(direct))
        await load(company, proxy.cut)
        assert all(worker.alive for worker in workers)


@pytest.mark.parametrize("how", ["it forgets everything", "it restarts", "it goes silent"])
async def test_redis_is_lost(
    new_database: Callable[..., str], private_redis: Callable[[], RedisServer], tmp_path: Path, how: str
) -> None:
    redis = private_redis()
    orders = Orders(store=new_database("bell"), folder=str(tmp_path), dispatch=redis.url)
    hurt = {"it forgets everything": redis.flush, "it restarts": redis.restart, "it goes silent": redis.freeze}[how]
    async with fleet(orders) as company, attended(company.door):
        workers = await company.working(2)
        try:
            await load(company, hurt)  # sweeps find what bells do not tell
        finally:
            redis.thaw()
        assert all(worker.alive for worker in workers)
