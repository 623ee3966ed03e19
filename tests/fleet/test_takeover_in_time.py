"""How long runs wait for a new worker when theirs has died: twice the lease at most. The one bound in seconds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet import audit
from tests.fleet.fleet import fleet, until
from tests.fleet.orders import Orders
from tests.fleet.outside import Outside
from tests.servers.redis import RedisServer

LEASE = 3.0  # long enough for a busy machine to give every worker its turn within a part of it


@pytest.mark.parametrize("dispatch", ["postgres", "redis"])
async def test_a_killed_workers_runs_are_taken_over_within_twice_the_lease(
    new_database: Callable[..., str], redis_server: RedisServer, tmp_path: Path, dispatch: str
) -> None:
    engine = {"lease": LEASE, "beat": 0.3, "sweep": 0.3, "window": 1.0}
    bell = redis_server.url if dispatch == "redis" else ""
    orders = Orders(store=new_database("bound"), folder=str(tmp_path), engine=engine, dispatch=bell)
    async with fleet(orders) as company:
        for statement in audit.NOTED:
            await company.rows(statement)
        (victim,) = await company.working(1)
        handles = await company.begin("chain", [[f"c{n}", 200, 0.1] for n in range(20)])
        outside = Outside(orders.outside)
        await until(lambda: len({call.what.split("/")[0] for call in outside.calls("charge")}) == 20, "not all begin")
        (other,) = await company.working(1)
        victim.kill()
        killed = (await company.row("SELECT clock_timestamp()"))[0]
        taken = "SELECT max(at) FROM claimed WHERE owner = $1 HAVING count(DISTINCT run) >= 20"
        last = (await company.until_row(taken, other.id))[0]
        assert (last - killed).total_seconds() <= 2 * LEASE
        for handle in handles:
            await handle.cancel("that will do")
        await company.until_row("SELECT 1 FROM runs WHERE finished_at IS NOT NULL HAVING count(*) = 20")
        assert not outside.wrong()
        assert not await audit.wrong(orders.store)
