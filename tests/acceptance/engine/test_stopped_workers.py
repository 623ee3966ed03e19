"""A worker that is stopped past its lease and goes on later: it owns nothing any more, and does nothing twice."""

import asyncio
import signal
from pathlib import Path

from callboard.domain.event import EventKind
from callboard.store.store import Store
from tests.acceptance.engine.company import company, lines, until


async def outcomes(store: Store, run_id: str) -> list[str]:
    return [e.path for e in await store.journal.read("default", run_id) if e.kind is EventKind.DONE]


async def test_a_stopped_worker_s_writes_are_refused_and_its_run_goes_on_elsewhere(tmp_path: Path) -> None:
    async with company(tmp_path) as (workers, door):
        (tmp_path / "hold 1").touch()
        stopped = workers.start()
        handle = await door.start("booking")
        await until(lambda: len(lines(tmp_path, "book")) == 2)  # the second call is in flight
        stopped.send_signal(signal.SIGSTOP)
        (tmp_path / "hold 1").unlink()
        workers.start()
        assert await handle.result(timeout=30) == [f"booked {n}" for n in range(4)]
        journal = await door.store.journal.read("default", handle.id)

        stopped.send_signal(signal.SIGCONT)
        await asyncio.sleep(0.5)
        assert stopped.poll() is None
        assert await door.store.journal.read("default", handle.id) == journal
        assert await outcomes(door.store, handle.id) == [f"{n}:book" for n in range(4)]

        booked = lines(tmp_path, "book")
        keys = {line[2] for line in booked}
        assert len(keys) == 4  # a system that counts by key has counted each of them once
        assert len(booked) == 5 and booked[1][2] == booked[2][2]  # only the one in flight was made again
        assert {line[3] for line in booked[:2]} != {line[3] for line in booked[2:]}


async def test_a_worker_that_was_stopped_and_goes_on_executes_runs_again(tmp_path: Path) -> None:
    async with company(tmp_path) as (workers, door):
        (tmp_path / "hold 0").touch()
        stopped = workers.start()
        handle = await door.start("booking")
        await until(lambda: lines(tmp_path, "book"))
        stopped.send_signal(signal.SIGSTOP)
        (tmp_path / "hold 0").unlink()
        other = workers.start()
        await handle.result(timeout=30)
        other.kill()
        other.wait()
        stopped.send_signal(signal.SIGCONT)
        assert await (await door.start("innocent", 1)).result(timeout=30) == 40


async def test_a_once_call_whose_window_has_passed_is_not_started(tmp_path: Path) -> None:
    async with company(tmp_path) as (workers, door):
        stopped = workers.start("stop")
        await until(lambda: lines(tmp_path, "working"))
        handle = await door.start("charging")
        other = workers.start()  # the first has stopped itself between the intent's commit and the call
        # A call that was slow is looked up: what matters is that it is made once, and by whom.
        assert await handle.result(timeout=30) in ("charged", "found")
        stopped.send_signal(signal.SIGCONT)
        await asyncio.sleep(0.5)
        assert stopped.poll() is None
        assert [int(line[2]) for line in lines(tmp_path, "charge")] == [other.pid]
