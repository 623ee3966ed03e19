"""One commit carries what many runs want written, and what is reported is committed."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callboard.domain.errors import StoreError, StoreUnavailable
from callboard.domain.run import RunStatus
from callboard.store.sqlite import SqliteStore
from tests.conformance.store.play import (
    TENANT,
    event,
    journal_of,
    many_running,
    new_run,
    of_type,
    running,
    seqs_of,
    start,
)


class Commits:
    """The fault hook: counts, and fails before as many commits as it is told to."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.failures = 0

    def __call__(self, moment: str) -> None:
        self.seen.append(moment)
        if moment == "before_commit" and self.failures:
            self.failures -= 1
            raise RuntimeError("pulled the plug")

    @property
    def done(self) -> int:
        return self.seen.count("after_commit")


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
async def store(tmp_path: Path, commits: Commits) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(str(tmp_path / "store.db"), fault=commits)
    await store.open()
    yield store
    await store.close()


async def test_the_appends_of_many_runs_share_commits(store: SqliteStore, commits: Commits) -> None:
    claims = await many_running(store, 50)
    before = commits.done
    await asyncio.gather(*[store.journal.append(c, [event(n)]) for n in range(1, 11) for c in claims])
    assert commits.done - before < 25  # 500 appends


async def test_the_starts_of_many_callers_share_commits(store: SqliteStore, commits: Commits) -> None:
    await asyncio.gather(*[store.runs.start(new_run(key=f"{n}")) for n in range(300)])
    assert commits.done < 25
    assert await store.runs.counts(TENANT) == {RunStatus.READY: 300}


async def test_a_step_of_a_single_run_costs_one_commit(store: SqliteStore, commits: Commits) -> None:
    held = await running(store)
    before = commits.done
    for seq in range(1, 11):
        await store.journal.append(held, [event(seq)])
    assert commits.done - before == 10


async def test_reading_commits_nothing(store: SqliteStore, commits: Commits) -> None:
    held = await running(store)
    before = len(commits.seen)
    await journal_of(store, held.run_id)
    await store.claims.outlook("anna")
    await store.runs.find(TENANT)
    await store.inbox.read(held, 0)
    assert len(commits.seen) == before


async def test_the_hook_is_called_right_before_and_right_after_each_commit(
    store: SqliteStore, commits: Commits
) -> None:
    for _ in range(5):
        await start(store)
    assert commits.seen == ["before_commit", "after_commit"] * 5


async def test_what_failed_before_its_commit_is_reported_and_not_written(store: SqliteStore, commits: Commits) -> None:
    held = await running(store)
    commits.failures = 1
    with pytest.raises(RuntimeError, match="pulled the plug"):
        await store.journal.append(held, [event(1, body=b'"lost"')])
    assert await seqs_of(store, held.run_id) == [0]
    await store.journal.append(held, [event(1, body=b'"kept"')])
    assert (await journal_of(store, held.run_id))[1].value() == "kept"


async def test_a_group_that_failed_is_written_one_by_one(store: SqliteStore, commits: Commits) -> None:
    claims = await many_running(store, 20)
    commits.failures = 1
    results = await asyncio.gather(*[store.journal.append(c, [event(1)]) for c in claims], return_exceptions=True)
    assert len(of_type(results, Exception)) <= 1  # the first may have been a group of its own
    for held, result in zip(claims, results, strict=True):
        assert await seqs_of(store, held.run_id) == ([0, 1] if result is None else [0])


async def test_one_who_gave_up_waiting_harms_nobody(store: SqliteStore) -> None:
    first, second = await many_running(store, 2)
    given_up = asyncio.ensure_future(store.journal.append(first, [event(1)]))
    waits = store.journal.append(second, [event(1)])
    given_up.cancel()
    await waits
    await store.journal.append(second, [event(2)])
    assert await seqs_of(store, second.run_id) == [0, 1, 2]


async def test_what_was_queued_is_written_before_the_store_closes(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    first = SqliteStore(path)
    await first.open()
    held = await running(first)
    for seq in range(1, 101):
        first.journal.append(held, [event(seq)])
    await first.close()
    second = SqliteStore(path)
    await second.open()
    assert await seqs_of(second, held.run_id) == list(range(101))
    await second.close()


async def test_a_closed_store_says_that_it_is_closed(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "store.db"))
    await store.open()
    run_id = await start(store)
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await start(store)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.runs.get(TENANT, run_id)


async def test_a_store_may_be_closed_twice_or_without_having_been_opened(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "store.db"))
    await store.close()
    await store.open()
    await store.close()
    await store.close()


@pytest.mark.parametrize("what", ["no database", "another program's", "a later version's"])
async def test_a_store_that_could_not_be_opened_can_be_closed(tmp_path: Path, what: str) -> None:
    path = tmp_path / "store.db"
    if what == "no database":
        path.write_bytes(b"no database " * 1000)
    else:
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE t (a)")
            db.execute(f"PRAGMA user_version = {99 if what.startswith('a later') else 0}")
        db.close()
    store = SqliteStore(str(path))
    with pytest.raises(StoreError):
        await store.open()
    await store.close()
