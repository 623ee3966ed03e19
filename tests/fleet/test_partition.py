"""A worker that can reach neither PostgreSQL nor Redis, and has no idea that it is the only one."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet import audit
from tests.fleet.fleet import attended, fleet, until
from tests.fleet.orders import LEASE, Orders
from tests.fleet.outside import Outside
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer


@pytest.mark.parametrize("dispatch", ["postgres", "redis"])
async def test_runs_of_a_worker_that_is_cut_off_go_on_elsewhere_and_what_it_says_when_healed_is_refused(
    new_database: Callable[..., str],
    redis_server: RedisServer,
    fault_proxy: Callable[[str], FaultProxy],
    tmp_path: Path,
    dispatch: str,
) -> None:
    direct, bell = new_database("partition"), redis_server.url if dispatch == "redis" else ""
    proxies = [fault_proxy(url) for url in (direct, bell) if url]
    orders = Orders(store=direct, folder=str(tmp_path), dispatch=bell)
    async with fleet(orders) as company, attended(company.door):
        roundabout = [proxy.url(url) for proxy, url in zip(proxies, (direct, bell), strict=False)]
        (lonely,) = await company.working(1, store=roundabout[0], dispatch=roundabout[1] if bell else "")
        chains = await company.begin("chain", [[f"c{n}", 12, 0.1] for n in range(10)])
        (slow,) = await company.begin("posting_slowly", ["slow"])
        outside = Outside(orders.outside)
        await until(lambda: outside.calls("begin slow") and len(outside.calls("charge")) >= 20, "nothing is done")
        for proxy in proxies:
            proxy.black_hole()
        (other,) = await company.working(1)
        assert await company.results(chains) == [[f"c{n}", 12, f"charged c{n}/11"] for n in range(10)]
        assert await company.results([slow]) == ["shipped slow"]
        journals = await company.rows("SELECT * FROM events ORDER BY run, seq")

        for proxy in proxies:
            proxy.heal()
        other.kill()
        # It works again, as one who has none of its runs of then.
        later = await company.begin("chain", [["later", 2, 0.0]])
        assert await company.results(later) == [["later", 2, "charged later/1"]]
        await asyncio.sleep(LEASE)
        assert lonely.alive
        assert (
            await company.rows("SELECT * FROM events WHERE run <> (SELECT max(run) FROM events) ORDER BY 1, 2")
            == journals
        )
        assert not outside.wrong()
        assert len(outside.calls("ship slow")) == 1
        assert not await audit.wrong(direct)
