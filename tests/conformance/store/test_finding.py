"""Runs are looked up, listed in pages, filtered and counted."""

import pytest

from callboard.domain.errors import NotFound
from callboard.domain.run import Outcome, RunStatus
from callboard.store.store import Store
from tests.conformance.store.play import (
    STRANGER,
    TENANT,
    child_of,
    ended,
    new_id,
    running,
    start,
    waiting,
)


async def found(store: Store, **by: object) -> list[str]:
    return [run.id for run in await store.runs.find(TENANT, **by)]  # type: ignore[arg-type]


async def test_an_unknown_run_is_not_found(store: Store) -> None:
    for run_id in (new_id(), "", "' OR 1=1 --"):
        with pytest.raises(NotFound):
            await store.runs.get(TENANT, run_id)


async def test_runs_are_listed_newest_first(store: Store) -> None:
    ids = [await start(store) for _ in range(5)]
    assert await found(store) == ids[::-1]


async def test_runs_are_listed_in_pages_without_gap_or_repetition(store: Store) -> None:
    ids = [await start(store) for _ in range(7)]
    pages: list[list[str]] = [await found(store, limit=3)]
    while pages[-1]:
        await start(store)  # newer runs do not shift the pages
        pages.append(await found(store, limit=3, before=pages[-1][-1]))
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [run_id for page in pages for run_id in page] == ids[::-1]


async def test_runs_are_filtered_by_status(store: Store) -> None:
    done, failed, waits = await ended(store), await ended(store, RunStatus.FAILED), await waiting(store)
    assert await found(store, status=RunStatus.SUCCEEDED) == [done]
    assert await found(store, status=RunStatus.FAILED) == [failed]
    assert await found(store, status=RunStatus.WAITING) == [waits.run_id]
    assert await found(store, status=RunStatus.DEAD) == []


async def test_runs_are_filtered_by_flow(store: Store) -> None:
    order, _ = await start(store, flow="order"), await start(store, flow="orders")
    assert await found(store, flow="order") == [order]


async def test_runs_are_filtered_by_all_the_labels_given(store: Store) -> None:
    both = await start(store, labels={"team": "blue", "vip": "yes"})
    one = await start(store, labels={"team": "blue"})
    await start(store, labels={"team": "yes", "vip": "blue"})
    await start(store)
    assert await found(store, labels={"team": "blue"}) == [one, both]
    assert await found(store, labels={"vip": "yes", "team": "blue"}) == [both]
    assert await found(store, labels={"team": "green"}) == []
    assert len(await found(store, labels={})) == 4


async def test_labels_may_hold_any_text(store: Store) -> None:
    odd = {'a"b.$[0]': "c'd\\", "naïve 🎭": "%_", "empty": "", "number": "1", "nothing": "null"}
    run_id = await start(store, labels=odd)
    await start(store, labels={"number": "2"})
    assert (await store.runs.get(TENANT, run_id)).labels == odd
    for name, text in odd.items():
        assert await found(store, labels={name: text}) == [run_id]


async def test_children_are_found_by_their_parent(store: Store) -> None:
    parent = await running(store)
    children = [await child_of(store, parent, n, path=f"{n}:c") for n in (1, 2)]
    assert await found(store, parent=parent.run_id) == children[::-1]
    assert await found(store, parent=children[0]) == []
    assert await found(store, parent=new_id()) == []


async def test_filters_narrow_each_other(store: Store) -> None:
    wanted = await start(store, flow="pay", labels={"team": "blue"})
    await start(store, flow="pay", labels={"team": "red"})
    newest = await start(store, flow="order", labels={"team": "blue"})
    by = {"flow": "pay", "labels": {"team": "blue"}, "status": RunStatus.READY, "before": newest}
    assert await found(store, **by) == [wanted]


async def test_rows_of_many_runs_are_read_at_once(store: Store) -> None:
    ids = [await start(store, labels={"n": str(n)}) for n in range(50)]
    strange = await start(store, tenant=STRANGER)
    rows = await store.runs.rows(TENANT, [*ids, ids[0], new_id(), strange])
    assert rows.keys() == set(ids)
    assert rows[ids[7]] == await store.runs.get(TENANT, ids[7])
    assert await store.runs.rows(TENANT, []) == {}


async def test_runs_are_found_by_the_keys_that_made_them(store: Store) -> None:
    first, second = await start(store, key="a"), await start(store, key="b'\\\"")
    await start(store, key="c", flow="pay")
    await start(store, key="d", tenant=STRANGER)
    await start(store)
    keys = ["a", "b'\\\"", "c", "d", "e", "a"]
    assert await store.runs.by_key(TENANT, "order", keys) == {"a": first, "b'\\\"": second}
    assert await store.runs.by_key(TENANT, "order", []) == {}


async def test_runs_are_counted_by_status(store: Store) -> None:
    assert await store.runs.counts(TENANT) == {}
    await ended(store)
    await ended(store)
    await ended(store, RunStatus.BLOCKED)
    await waiting(store)
    await start(store)
    assert await store.runs.counts(TENANT) == {
        RunStatus.SUCCEEDED: 2,
        RunStatus.BLOCKED: 1,
        RunStatus.WAITING: 1,
        RunStatus.READY: 1,
    }


async def test_outcomes_are_told_of_the_runs_that_have_ended(store: Store) -> None:
    done, failed, waits = await ended(store), await ended(store, RunStatus.FAILED), await waiting(store)
    outcomes = await store.runs.outcomes(TENANT, [waits.run_id, failed, new_id(), done])
    assert outcomes.keys() == {done, failed}
    assert outcomes[done] == Outcome(RunStatus.SUCCEEDED, "done")
    assert await store.runs.outcomes(TENANT, []) == {}


async def test_outcomes_of_many_runs_are_told_at_once(store: Store) -> None:
    ids = [await ended(store) for _ in range(50)]
    assert (await store.runs.outcomes(TENANT, ids)).keys() == set(ids)
