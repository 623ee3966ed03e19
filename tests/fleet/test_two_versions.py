"""Two deploys at once: workers with the old code and workers with the new, side by side."""

import signal
from collections.abc import Callable
from pathlib import Path

import callboard as cb
from tests.fleet import audit
from tests.fleet.fleet import fleet
from tests.fleet.orders import Orders
from tests.fleet.town import town

_WAITING = "SELECT 1 FROM runs WHERE status = 'waiting' HAVING count(*) = $1"


async def test_runs_are_executed_only_by_workers_that_have_their_version(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("versions"), folder=str(tmp_path))
    async with fleet(orders) as company:
        new_code = town(orders.outside, version="2")
        async with cb.open(new_code, settings=orders.settings, worker=False) as new_door:
            (old,) = await company.working(1)
            before = await company.begin("evolving", [None] * 6)
            later = [await new_door.start("evolving") for _ in range(6)]
            await company.until_row(_WAITING, 6)
            assert {row["status"] for row in await company.rows("SELECT status FROM runs WHERE version = '2'")} == {
                "ready"
            }
            await company.working(1, version="2")
            await company.until_row(_WAITING, 12)
            for handle in (*before, *later):
                await handle.signal("go", "on")
            assert await company.results(before) == [["1", 0.05, "on"]] * 6
            assert await company.results(later) == [["2", 0.05, "on"]] * 6

            # The old worker leaves: what it has goes back, and waits for one that can.
            (last,) = await company.begin("evolving", [None])
            await company.until_row(_WAITING, 1)
            old.send(signal.SIGTERM)
            assert await old.ended() == 0
            await last.signal("go", "at last")
            await company.until_row("SELECT 1 FROM runs WHERE status = 'ready' AND version = '1'")
            await company.working(1)
            assert await company.results([last]) == [["1", 0.05, "at last"]]
            assert not await audit.wrong(orders.store)


async def test_a_patched_flow_goes_on_under_new_code_as_it_began(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("patched"), folder=str(tmp_path))
    async with fleet(orders) as company:
        (old,) = await company.working(1)
        before = await company.begin("patched", [None] * 6)
        await company.until_row(_WAITING, 6)
        await company.working(1, version="2")
        old.send(signal.SIGTERM)
        assert await old.ended() == 0
        later = await company.begin("patched", [None] * 6)
        await company.until_row(_WAITING, 12)
        for handle in (*before, *later):
            await handle.signal("go", "on")
        assert await company.results(before) == [["old", "on"]] * 6
        assert await company.results(later) == [["new", "on"]] * 6
        assert not await audit.wrong(orders.store)
