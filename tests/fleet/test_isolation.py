"""Five hundred runs at once, whose steps and children share threads, processes and a database."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet import audit
from tests.fleet.fleet import fleet
from tests.fleet.orders import Orders
from tests.servers.redis import RedisServer


@pytest.mark.parametrize("dispatch", ["postgres", "redis"])
async def test_each_run_sees_its_own_values_only(
    new_database: Callable[..., str], redis_server: RedisServer, tmp_path: Path, dispatch: str
) -> None:
    bell = redis_server.url if dispatch == "redis" else ""
    orders = Orders(store=new_database("isolation"), folder=str(tmp_path), dispatch=bell, engine={"concurrency": 256})
    async with fleet(orders) as company:
        await company.working(2)
        handles = await company.begin("secret", [f"s{n}" for n in range(500)])
        outputs = await company.results(handles)
        expected = [
            {"mine": f"s{n}", "seen": [f"s{n}", f"s{n}/1", f"s{n}/2"], "run": handle.id}
            for n, handle in enumerate(handles)
        ]
        assert outputs == expected
        (children,) = await company.rows("SELECT count(*) FROM runs WHERE parent IS NOT NULL AND status = 'succeeded'")
        assert children[0] == 500
        assert not await audit.wrong(orders.store)
