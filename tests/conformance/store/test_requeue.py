"""A run that is blocked, failed or dead can be made to go on, where it stopped."""

import pytest

from callboard.domain.errors import Conflict, NotFound
from callboard.domain.event import EventKind
from callboard.domain.run import RunStatus
from callboard.store.store import Store
from tests.conformance.store.play import (
    ANNA,
    BEN,
    LATER,
    T0,
    TENANT,
    claim,
    end,
    ended,
    event,
    journal_of,
    new_id,
    running,
    start,
    status_of,
    waiting,
)


@pytest.mark.parametrize("status", [RunStatus.BLOCKED, RunStatus.FAILED])
async def test_a_requeued_run_is_ready_and_shows_nothing_of_its_failure(store: Store, status: RunStatus) -> None:
    run_id = await ended(store, status)
    run = await store.runs.requeue(TENANT, run_id, "fixed", LATER)
    assert (run.status, run.error, run.finished_at, run.deaths) == (RunStatus.READY, None, None, 0)
    assert run == await store.runs.get(TENANT, run_id)
    assert await store.runs.outcomes(TENANT, [run_id]) == {}


async def test_a_requeue_is_an_event_with_its_reason(store: Store) -> None:
    run_id = await ended(store, RunStatus.FAILED)
    await store.runs.requeue(TENANT, run_id, "the bank is back", LATER)
    last = (await journal_of(store, run_id))[-1]
    assert (last.seq, last.kind, last.at) == (2, EventKind.REQUEUED, int(LATER * 1e6))
    assert last.value() == {"reason": "the bank is back"}


async def test_a_requeued_run_goes_on_after_its_last_event(store: Store) -> None:
    run_id = await ended(store, RunStatus.FAILED)
    await store.runs.requeue(TENANT, run_id, "", LATER)
    found = await claim(store, run_id, BEN)
    assert [e.seq for e in found.events] == [0, 1, 2]
    await store.journal.append(found.claim, [event(3)])
    await store.claims.settle(found.claim, end(4))
    assert await status_of(store, run_id) is RunStatus.SUCCEEDED


async def test_a_run_that_was_given_up_starts_anew_without_blame(store: Store) -> None:
    run_id = await start(store)
    await store.claims.register(BEN, T0)
    await claim(store, run_id, BEN)
    dead = await store.claims.take_over(ANNA, -1.0, 1, LATER)  # a lease that nobody can have kept
    assert dead.dead == (run_id,)
    run = await store.runs.requeue(TENANT, run_id, "", LATER)
    assert (run.status, run.deaths) == (RunStatus.READY, 0)
    await claim(store, run_id)


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.CANCELLED])
async def test_a_run_that_is_over_for_good_cannot_be_requeued(store: Store, status: RunStatus) -> None:
    run_id = await ended(store, status)
    with pytest.raises(Conflict, match=status):
        await store.runs.requeue(TENANT, run_id, "", LATER)
    assert len(await journal_of(store, run_id)) == 2


async def test_a_run_that_is_under_way_cannot_be_requeued(store: Store) -> None:
    for run_id in ((await waiting(store)).run_id, (await running(store)).run_id, await start(store)):
        with pytest.raises(Conflict):
            await store.runs.requeue(TENANT, run_id, "", LATER)
        assert len(await journal_of(store, run_id)) == 1


async def test_an_unknown_run_cannot_be_requeued(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.runs.requeue(TENANT, new_id(), "", LATER)
