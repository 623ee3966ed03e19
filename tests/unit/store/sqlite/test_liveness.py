"""A dead process is known at once, by the lock that it held; a process that only stands still is not dead."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callboard.domain.run import RunStatus
from callboard.store.claims import Takeover
from callboard.store.sqlite import SqliteStore
from tests.conformance.store.play import ANNA, LATER, T0, TENANT, claim, start, status_of
from tests.unit.store.sqlite.second_process import hear, spawn, tell

LONG = 1e9  # a lease that no heartbeat can overrun

WORK_AND_WAIT = """
    store = SqliteStore(path)
    await store.open()
    await store.claims.register("other", T0)
    await store.claims.claim("other", FLOWS, 5, LATER)
    report("claimed")
    sys.stdin.readline()
    await store.close()
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(str(tmp_path / "store.db"))
    await store.open()
    await store.claims.register(ANNA, T0)
    yield store
    await store.close()


async def test_the_runs_of_a_killed_process_are_free_at_once(store: SqliteStore) -> None:
    run_id = await start(store)
    process = spawn(WORK_AND_WAIT, Path(store.path))
    assert hear(process) == "claimed"
    assert await store.claims.take_over(ANNA, LONG, 3, LATER) == Takeover()
    assert {w.id: w.alive for w in await store.claims.workers()} == {ANNA: True, "other": True}
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.communicate()
    assert {w.id: w.alive for w in await store.claims.workers()} == {ANNA: True, "other": False}
    assert await store.claims.take_over(ANNA, LONG, 3, LATER) == Takeover((run_id,), (), ("other",))
    await claim(store, run_id, suspects=True)


async def test_a_process_that_stands_still_keeps_its_runs_until_its_lease_is_over(store: SqliteStore) -> None:
    run_id = await start(store)
    process = spawn(WORK_AND_WAIT, Path(store.path))
    assert hear(process) == "claimed"
    process.send_signal(signal.SIGSTOP)
    try:
        assert await store.claims.take_over(ANNA, LONG, 3, LATER) == Takeover()
        assert await status_of(store, run_id) is RunStatus.RUNNING
        assert (await store.claims.take_over(ANNA, 0.0, 3, LATER)).ready == (run_id,)
    finally:
        process.send_signal(signal.SIGCONT)
        tell(process)
        process.communicate(timeout=30)


async def test_nothing_is_left_behind_by_workers_that_are_gone(store: SqliteStore) -> None:
    folder = Path(store.path + "-live")
    process = spawn(WORK_AND_WAIT, Path(store.path))
    assert hear(process) == "claimed"
    assert {f.name for f in folder.iterdir()} == {"anna.lock", "other.lock"}
    process.send_signal(signal.SIGKILL)
    process.communicate()
    await store.claims.take_over(ANNA, LONG, 3, LATER)
    assert {f.name for f in folder.iterdir()} == {"anna.lock"}
    await store.claims.retire(ANNA)
    assert list(folder.iterdir()) == []


async def test_a_worker_whose_lock_file_was_deleted_counts_as_dead_elsewhere(store: SqliteStore) -> None:
    run_id = await start(store)
    process = spawn(WORK_AND_WAIT, Path(store.path))
    assert hear(process) == "claimed"
    Path(store.path + "-live", "other.lock").unlink()
    assert (await store.claims.take_over(ANNA, LONG, 3, LATER)).ready == (run_id,)
    tell(process)
    process.communicate(timeout=30)
    assert (await store.runs.get(TENANT, run_id)).status is RunStatus.READY
