"""A run that kills its workers is given up, and the runs beside it are not: with real processes that really die."""

import asyncio
from pathlib import Path

import pytest

import callboard as cb
from tests.acceptance.engine.company import Company, company, lines
from tests.acceptance.engine.worker_process import ENGINE


async def supervised(workers: Company, handle: cb.RunHandle, most: int) -> int:
    """Replaces each worker that dies until the run has ended; returns how many died."""
    process, died = workers.start(), 0
    while not (await handle.status()).ended and died < most:
        if process.poll() is not None:
            died += 1
            process = workers.start()
        await asyncio.sleep(0.02)
    return died + (process.poll() is not None)


async def test_a_killer_goes_to_the_dead_letters_and_innocents_beside_it_succeed(tmp_path: Path) -> None:
    async with company(tmp_path) as (workers, door):
        innocents = [await door.start("innocent", n) for n in range(20)]
        killer = await door.start("killer")
        assert await supervised(workers, killer, 6) == ENGINE.max_deaths
        with pytest.raises(cb.RunFailed, match="3 workers in a row died") as caught:
            await killer.result(timeout=30)
        assert caught.value.status == "dead"
        assert [await each.result(timeout=30) for each in innocents] == [40 * n for n in range(20)]
        beside = [int(line[1]) for line in lines(tmp_path, "beside")]
        assert len(beside) == ENGINE.max_deaths
        assert beside[1:] == [0, 0]  # once suspected, it runs alone
        assert all([(await each.run()).deaths == 0 for each in innocents])

        (tmp_path / "mended").touch()
        if workers.started[-1].poll() is not None:
            workers.start()
        await door.commands.requeue("default", killer.id, "mended")
        assert await killer.result(timeout=30) == "mended"


async def test_a_step_that_exits_fails_and_takes_no_worker_along(tmp_path: Path) -> None:
    async with company(tmp_path) as (workers, door):
        process = workers.start()
        handle = await door.start("leaver")
        assert await handle.result(timeout=30) == "SystemExit"
        assert process.poll() is None
