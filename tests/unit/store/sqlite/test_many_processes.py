"""Several processes share one file: all that they write is there, and the schema is made once."""

import asyncio
import sqlite3
import time
from pathlib import Path

from callboard.domain.run import RunStatus
from callboard.store.sqlite import SqliteStore
from callboard.store.sqlite.sql import migrations
from tests.conformance.store.play import TENANT, end, running
from tests.unit.store.sqlite.second_process import run, spawn

WRITE = """
    store = SqliteStore(path)
    await store.open()
    worker, runs, steps = args[0], int(args[1]), int(args[2])
    for _ in range(runs):
        await start(store, flow=worker)
    claims = [c.claim for c in await store.claims.claim(worker, [f"{worker}@1"], runs, LATER)]
    async def work(held):
        for seq in range(1, steps + 1):
            await store.journal.append(held, [event(seq, body=b'"%s"' % worker.encode())])
    await asyncio.gather(*[work(held) for held in claims])
    await store.close()
"""
OPEN_AT_ONCE = """
    while time.time() < float(args[0]):
        pass
    store = SqliteStore(path)
    await store.open()
    await start(store)
    report((await store.check())["schema"])
    await store.close()
"""


async def test_processes_that_write_at_once_lose_and_mix_nothing(tmp_path: Path) -> None:
    path, workers, runs, steps = tmp_path / "store.db", ["a", "b", "c"], 10, 40
    store = SqliteStore(str(path))
    await store.open()
    processes = [spawn(WRITE, path, worker, runs, steps) for worker in workers]
    for process in processes:
        _, err = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0, err
    for worker in workers:
        found = await store.runs.find(TENANT, flow=worker)
        assert len(found) == runs
        for each in found:
            events = await store.journal.read(TENANT, each.id)
            assert [e.seq for e in events] == list(range(steps + 1))
            assert {e.value() for e in events[1:]} == {worker}
    assert (await store.check())["integrity"] == "ok"
    await store.close()


def test_processes_that_open_a_new_file_at_once_make_its_schema_once(tmp_path: Path) -> None:
    latest = str(migrations()[-1][0])
    for attempt in range(3):
        path = tmp_path / f"store-{attempt}.db"
        at = time.time() + 0.6
        processes = [spawn(OPEN_AT_ONCE, path, at) for _ in range(5)]
        for process in processes:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            assert out.split() == [latest]
        with sqlite3.connect(path) as db:
            assert db.execute("SELECT count(*) FROM runs").fetchone() == (5,)
            assert db.execute("SELECT value FROM meta WHERE name = 'next_run'").fetchone() == (6,)


def test_a_file_that_is_open_elsewhere_is_opened_again_without_change(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    assert run(OPEN_AT_ONCE, path, 0) == run(OPEN_AT_ONCE, path, 0)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (2,)


async def test_numbers_of_runs_are_never_used_again_after_a_purge(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "store.db"))
    await store.open()
    numbers = []
    for _ in range(3):
        held = await running(store)
        numbers.append(held.number)
        await store.claims.settle(held, end(1))
        await store.runs.purge(TENANT, before=4e9, statuses=[RunStatus.SUCCEEDED], batch=10, blobs_before=4e9)
    assert numbers == sorted(set(numbers))
    await store.close()
