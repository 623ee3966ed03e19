"""The connection of a worker is cut at every statement that writes, before the server has heard it, or after it has
carried it out and before the answer is heard."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import callboard as cb
from tests.fleet import audit
from tests.fleet.fleet import attended, fleet
from tests.fleet.orders import Orders
from tests.fleet.outside import Outside
from tests.fleet.test_killed_at_every_commit import effects, expected
from tests.servers.proxy import FaultProxy
from tests.servers.requests import Request, commits

_LANES = 4
# A worker that is late is no matter of this test.
_ENGINE = {"lease": 60.0, "sweep": 0.5}


def writes(request: Request) -> bool:
    """Whether a request changes anything, or decides what has been changed; beats and looks do not."""
    text = " ".join(request.statements).upper()
    return any(word in text for word in ("INSERT", "UPDATE ", "DELETE", "COMMIT")) and "CLOCK_TIMESTAMP" not in text


@pytest.mark.parametrize("cut", ["cut_reply", "cut_request"])
@pytest.mark.parametrize(
    "every", [4, pytest.param(1, marks=[pytest.mark.soak, pytest.mark.timeout(900)])], ids=["every fourth", "every one"]
)
async def test_a_cut_at_any_statement_loses_nothing_and_doubles_nothing(
    new_database: Callable[..., str], fault_proxy: Callable[[str], FaultProxy], tmp_path: Path, cut: str, every: int
) -> None:
    direct = new_database("cut")
    lanes = [f"-{lane}" for lane in range(_LANES)]
    orders = Orders(store=direct, folder=str(tmp_path), suffixes=("", *lanes), engine=_ENGINE)
    async with fleet(orders) as company, attended(company.door):
        played: list[str] = []

        async def play(lane: str, name: str) -> None:
            handle = await company.door.start(f"everything{lane}", name)
            await handle.signal("go", "now")
            played.append(name)
            assert await company.results([handle]) == [expected(name)], name

        proxies = [fault_proxy(direct) for _ in lanes]
        for proxy, lane in zip(proxies, lanes, strict=True):
            await company.working(1, store=proxy.url(direct), suffixes=(lane,))
        proxies[0].forget()
        await play(lanes[0], "calm")
        points = iter(range(1, proxies[0].seen(writes) + 1, every))
        assert proxies[0].seen(writes) > 20
        happened: list[bool] = []

        async def work(proxy: FaultProxy, lane: str) -> None:
            for nth in points:
                ordered = getattr(proxy, cut)(nth, writes)
                await play(lane, f"cut{nth}")
                happened.append(ordered.happened)
                proxy.heal()

        await asyncio.gather(*(work(proxy, lane) for proxy, lane in zip(proxies, lanes, strict=True)))
        assert sum(happened) > 0.7 * len(happened)  # groups differ from play to play
        outside = Outside(orders.outside)
        assert not outside.wrong()
        assert outside.effects() == set().union(*(effects(name) for name in played))
        assert len(await company.rows("SELECT FROM bookings")) == len(played)
        assert not await audit.wrong(direct)


@pytest.mark.parametrize("cut", ["cut_reply", "cut_request"])
async def test_a_door_that_is_cut_off_at_a_commit_starts_and_sends_once(
    new_database: Callable[..., str], fault_proxy: Callable[[str], FaultProxy], tmp_path: Path, cut: str
) -> None:
    direct = new_database("door")
    proxy = fault_proxy(direct)
    orders = Orders(store=direct, folder=str(tmp_path))
    async with fleet(orders) as company:
        settings = msgspec.structs.replace(orders.settings, store=proxy.url(direct))
        for n in range(1, 6):  # each time the first that it writes, then the second
            async with cb.open(company.app, settings=settings, worker=False) as door:
                cuts = [getattr(proxy, cut)(1, commits)]
                handles = [await door.start("counting", [1, 1])]  # under no key: nothing else keeps it from being two
                cuts.append(getattr(proxy, cut)(1, commits))
                handles += await asyncio.gather(*(door.start("counting", [1, 1]) for _ in range(3)))
                for handle in handles:
                    cuts.append(getattr(proxy, cut)(1, commits))
                    await handle.signal("n", n)
                assert all(each.happened for each in cuts)
        assert (await company.row("SELECT count(*) FROM runs"))[0] == 20
        assert (await company.row("SELECT count(*), count(DISTINCT run) FROM inbox")) == (20, 20)
        assert {row[0] for row in await company.rows("SELECT inbox_seq FROM runs")} == {1}
        assert not await audit.wrong(direct, ended=False)


async def test_a_row_that_cannot_be_written_fails_its_run_alone(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("bad"), folder=str(tmp_path))
    async with fleet(orders) as company:
        await company.working(2)
        chains = await company.begin("chain", [[f"c{n}", 10, 0.01] for n in range(20)])
        bad = await company.begin("unwritable", [f"b{n}" for n in range(3)])
        more = await company.begin("chain", [[f"d{n}", 10, 0.01] for n in range(20)])
        assert await company.results(chains) == [[f"c{n}", 10, f"charged c{n}/9"] for n in range(20)]
        assert await company.results(more) == [[f"d{n}", 10, f"charged d{n}/9"] for n in range(20)]
        ended = await company.until_row("SELECT count(*) FROM runs WHERE flow = 'unwritable' HAVING "
                                        "count(*) FILTER (WHERE status = 'failed') = 3", patience=60.0)  # fmt: skip
        assert ended[0] == 3
        errors = [(await handle.run()).error for handle in bad]
        assert all(error is not None and error.code == "row_refused" for error in errors)
        assert not Outside(orders.outside).wrong()
        assert not await audit.wrong(orders.store)
