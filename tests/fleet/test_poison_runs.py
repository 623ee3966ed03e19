"""Runs that kill their workers: they are given up, and nobody else suffers; and workers that run out of memory."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import callboard as cb
from tests.fleet import audit
from tests.fleet.fleet import Fleet, fleet, until
from tests.fleet.orders import Orders
from tests.fleet.outside import Outside


async def replaced(company: Fleet, ended: Callable[[], bool]) -> None:
    """Starts a worker for each one that dies, as whoever keeps a fleet does."""

    def look() -> bool:
        for _ in range(2 - sum(worker.alive for worker in company.workers)):
            company.start()
        return ended()

    await until(look, "it does not end")


async def test_a_run_that_kills_workers_goes_to_the_dead_letters_and_others_are_unharmed(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("poison"), folder=str(tmp_path), engine={"max_deaths": 3})
    async with fleet(orders) as company:
        await company.working(2)
        (poison,) = await company.begin("poison", ["arsenic"])
        chains = await company.begin("chain", [[f"c{n}", 30, 0.05] for n in range(10)])
        outside = Outside(orders.outside)
        await replaced(company, lambda: len(outside.calls("die")) >= 3)
        with pytest.raises(cb.RunFailed) as failed:
            await poison.result(timeout=60)
        assert failed.value.status is cb.RunStatus.DEAD
        error = (await poison.run()).error
        assert error is not None
        assert error.code == "worker_deaths"
        assert len(outside.calls("die")) == 3
        while sum(worker.alive for worker in company.workers) < 2:
            await company.working(1)
        assert await company.results(chains) == [[f"c{n}", 30, f"charged c{n}/29"] for n in range(10)]
        assert [row["deaths"] for row in await company.rows("SELECT deaths FROM runs WHERE flow = 'chain'")] == [0] * 10
        # The first time it is anybody's, later a suspect runs alone.
        assert len({call.pid for call in outside.calls("die")}) == 3

        (tmp_path / "mended").touch()
        await company.door.commands.requeue("default", poison.id, "mended")
        assert await company.results([poison]) == ["arsenic lives"]
        assert not outside.wrong()
        assert not await audit.wrong(orders.store)


async def test_a_step_that_wants_more_memory_than_there_is_fails_and_its_worker_lives(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("glutton"), folder=str(tmp_path))
    async with fleet(orders) as company:
        (worker,) = await company.working(1, memory=1_024)
        gluttons = await company.begin("glutton", [8_000] * 3)
        chains = await company.begin("chain", [[f"c{n}", 3, 0.01] for n in range(3)])
        assert await company.results(gluttons) == ["MemoryError"] * 3
        assert await company.results(chains) == [[f"c{n}", 3, f"charged c{n}/2"] for n in range(3)]
        assert worker.alive


async def test_runs_of_a_worker_that_died_of_memory_go_on_where_there_is_more(
    new_database: Callable[..., str], tmp_path: Path
) -> None:
    orders = Orders(store=new_database("memory"), folder=str(tmp_path))
    async with fleet(orders) as company:
        (small,) = await company.working(1, memory=1_024)
        chains = await company.begin("chain", [[f"c{n}", 10, 0.05] for n in range(5)])
        outside = Outside(orders.outside)
        await until(lambda: len(outside.calls("charge")) > 5, "nothing is done")
        (glutton,) = await company.begin("killing_glutton", [2_000])
        await small.ended()
        await company.working(1)
        assert await company.results([glutton]) == ["2000"]
        assert await company.results(chains) == [[f"c{n}", 10, f"charged c{n}/9"] for n in range(5)]
        assert Counter(call.pid for call in outside.calls("out of memory")) == {small.pid: 1}
        assert not outside.wrong()
        assert not await audit.wrong(orders.store)
