"""Workers whose machine's clock is an hour off: the fleet goes by the database's."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet import audit
from tests.fleet.fleet import fleet, until
from tests.fleet.orders import Orders
from tests.fleet.outside import Outside
from tests.servers.proxy import FaultProxy

HOUR = 3_600.0
skewed = pytest.mark.parametrize("skew", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])


@skewed
@pytest.mark.parametrize("company_of", ["alone", "beside a right one"])
async def test_timers_go_off_when_it_is_time(
    new_database: Callable[..., str], tmp_path: Path, skew: float, company_of: str
) -> None:
    orders = Orders(store=new_database("clocks"), folder=str(tmp_path))
    async with fleet(orders) as company:
        await company.working(1, skew=skew)
        if company_of != "alone":
            await company.working(1)
        begun = time.monotonic()
        handles = await company.begin("timed", [2.0] * 8)
        later = await company.door.start("timed", 0.0, delay=2.0)
        outputs = await company.results(handles)
        assert time.monotonic() - begun >= 2.0
        assert all(abs(output - time.time()) < 600 for output in outputs)  # what ctx.now() says is the fleet's time
        assert abs((await company.results([later]))[0] - time.time()) < 600
        assert not await audit.wrong(orders.store)


@skewed
async def test_a_live_worker_keeps_its_runs_and_a_dead_one_loses_them(
    new_database: Callable[..., str], tmp_path: Path, skew: float
) -> None:
    # A lease that a busy machine keeps: who loses its runs here has lost them to the clock.
    orders = Orders(store=new_database("leases"), folder=str(tmp_path), engine={"lease": 5.0})
    async with fleet(orders) as company:
        (wrong,) = await company.working(1, skew=skew)
        chains = await company.begin("chain", [[f"c{n}", 10, 0.3] for n in range(4)])
        outside = Outside(orders.outside)
        await until(lambda: len(outside.calls("charge")) >= 4, "nothing is done")
        await company.working(1)
        assert await company.results(chains) == [[f"c{n}", 10, f"charged c{n}/9"] for n in range(4)]
        assert {call.pid for call in outside.calls("charge")} == {wrong.pid}
        more = await company.begin("chain", [[f"d{n}", 10, 0.3] for n in range(4)])
        await until(lambda: len(outside.calls("charge d")) >= 4, "nothing is done")
        wrong.kill()
        assert await company.results(more) == [[f"d{n}", 10, f"charged d{n}/9"] for n in range(4)]
        assert not outside.wrong()
        assert not await audit.wrong(orders.store)


@skewed
async def test_a_once_call_in_flight_at_a_worker_that_is_cut_off_is_not_made_again(
    new_database: Callable[..., str], fault_proxy: Callable[[str], FaultProxy], tmp_path: Path, skew: float
) -> None:
    direct = new_database("once")
    proxy = fault_proxy(direct)
    orders = Orders(store=direct, folder=str(tmp_path))
    async with fleet(orders) as company:
        await company.working(1, store=proxy.url(direct), skew=skew)
        (handle,) = await company.begin("posting_slowly", ["parcel"])
        outside = Outside(orders.outside)
        await until(lambda: outside.calls("begin parcel"), "it is not begun")
        proxy.black_hole()
        await company.working(1)
        assert await company.results([handle]) == ["shipped parcel"]
        await asyncio.sleep(5.0)  # a call that had been begun twice would have come to its end by now
        assert len(outside.calls("ship parcel")) == 1
        assert not await audit.wrong(direct)
