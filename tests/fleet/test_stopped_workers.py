"""Workers that are stopped past their lease and go on later own nothing any more, and do nothing twice."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from tests.fleet import audit
from tests.fleet.fleet import attended, fleet, until
from tests.fleet.orders import LEASE, Orders
from tests.fleet.outside import Outside


async def test_a_stopped_workers_runs_go_on_elsewhere_and_what_it_writes_later_is_refused(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("stopped"), folder=str(tmp_path))
    async with fleet(orders) as company, attended(company.door):
        (stopped,) = await company.working(1)
        chains = await company.begin("chain", [[f"c{n}", 8, 0.1] for n in range(10)])
        outside = Outside(orders.outside)
        await until(lambda: len(outside.calls("charge")) >= 20, "nothing is done")
        stopped.send(signal.SIGSTOP)
        await company.working(1)
        assert await company.results(chains) == [[f"c{n}", 8, f"charged c{n}/7"] for n in range(10)]
        before = await company.rows("SELECT * FROM events ORDER BY run, seq")
        rows = await company.rows("SELECT * FROM runs ORDER BY number")

        stopped.send(signal.SIGCONT)
        (again,) = await company.begin("posting", ["once more"])
        assert await company.results([again]) == ["shipped once more"]
        await until(lambda: "no longer held" in stopped.log() or stopped.alive, "it has gone")
        await asyncio.sleep(LEASE)  # whatever it had in flight has come to its end by now
        assert stopped.alive
        assert (
            await company.rows("SELECT * FROM events WHERE run <> (SELECT max(run) FROM events) ORDER BY 1, 2")
            == before
        )
        assert await company.rows("SELECT * FROM runs WHERE flow = 'chain' ORDER BY number") == rows
        assert not outside.wrong()
        assert outside.effects() == {f"charge c{n}/{m}" for n in range(10) for m in range(8)} | {"ship once more"}
        assert not await audit.wrong(orders.store)


async def test_a_worker_that_goes_on_while_another_has_its_runs_leaves_them_alone(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("both"), folder=str(tmp_path))
    async with fleet(orders) as company:
        (stopped,) = await company.working(1)
        chains = await company.begin("chain", [[f"c{n}", 40, 0.1] for n in range(10)])
        outside = Outside(orders.outside)
        for _ in range(2):  # whoever has the runs is stopped, and goes on when the other has them
            before = len(outside.calls("charge"))
            await until(lambda least=before + 20: len(outside.calls("charge")) >= least, "nothing is done")  # type: ignore[misc]
            owner, other = (stopped, None) if len(company.workers) == 1 else (company.workers[1], stopped)
            owner.send(signal.SIGSTOP)
            if other is None:
                (other,) = await company.working(1)
            await company.until_row("SELECT 1 FROM runs WHERE owner = $1 HAVING count(*) >= 5", other.id)
            owner.send(signal.SIGCONT)
        assert await company.results(chains) == [[f"c{n}", 40, f"charged c{n}/39"] for n in range(10)]
        assert all(worker.alive for worker in company.workers)
        assert not outside.wrong()
        assert outside.effects() == {f"charge c{n}/{m}" for n in range(10) for m in range(40)}
        assert not await audit.wrong(orders.store)


async def test_a_worker_stopped_around_every_commit_of_a_once_call_does_not_begin_it_when_it_goes_on(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    points = [f"{point}{nth}" for point in ("before", "after") for nth in range(1, 5)]
    orders = Orders(store=new_database("zombies"), folder=str(tmp_path), suffixes=tuple(points))
    async with fleet(orders) as company:
        handles = [await company.door.start(f"posting{name}", name) for name in points]
        zombies = [
            company.start(suffixes=(name,), point=f"{name.rstrip('1234')}_commit", stop=int(name[-1]))
            for name in points
        ]
        await until(lambda: sum(zombie.stopped_itself for zombie in zombies) >= 4, "they do not come to their commits")
        # A run needs three commits: its intent, its outcome, its end. Those told to stop later do not stop at all.
        await asyncio.sleep(LEASE)
        await company.working(1, suffixes=tuple(points))
        assert await company.results(handles) == [f"shipped {name}" for name in points]
        for zombie in zombies:
            zombie.send(signal.SIGCONT)
        await asyncio.sleep(2 * LEASE)
        assert all(zombie.alive for zombie in zombies)
        outside = Outside(orders.outside)
        assert not outside.wrong()
        assert len(outside.calls()) == len(points)
        assert not await audit.wrong(orders.store)
