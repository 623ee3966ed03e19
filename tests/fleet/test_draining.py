"""Workers that are told to leave, one after the other, as in a rolling deploy: nothing is executed again."""

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet import audit
from tests.fleet.fleet import fleet, until
from tests.fleet.orders import Orders
from tests.fleet.outside import Outside
from tests.servers.redis import RedisServer


@pytest.mark.parametrize("dispatch", ["postgres", "redis"])
async def test_workers_that_are_told_to_leave_finish_what_is_in_flight_and_hand_back_the_rest(
    new_database: Callable[..., str], redis_server: RedisServer, tmp_path: Path, dispatch: str
) -> None:
    bell = redis_server.url if dispatch == "redis" else ""
    # Nobody is taken over in this test: only who hands runs back moves them.
    orders = Orders(
        store=new_database("drain"), folder=str(tmp_path), dispatch=bell, engine={"lease": 60.0, "max_deaths": 1}
    )
    async with fleet(orders) as company:
        await company.working(2)
        chains = await company.begin("chain", [[f"c{n}", 15, 0.1] for n in range(30)])
        (slow,) = await company.begin("posting_slowly", ["slow"])
        outside = Outside(orders.outside)
        await until(lambda: outside.calls("begin slow"), "it is not begun")
        for leaving in company.workers[:2]:
            await company.working(1)
            leaving.send(signal.SIGTERM)
            assert await leaving.ended() == 0
            assert not await company.rows("SELECT 1 FROM workers WHERE pid = $1", leaving.pid)
        assert await company.results(chains) == [[f"c{n}", 15, f"charged c{n}/14"] for n in range(30)]
        assert await company.results([slow]) == ["shipped slow"]
        times = Counter(call.what for call in outside.calls())
        assert set(times.values()) == {1}  # not even an effect that may be repeated was
        assert len(times) == 30 * 15 + 2
        assert not outside.wrong()
        assert not await audit.wrong(orders.store)
