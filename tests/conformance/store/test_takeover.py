"""When a worker is gone its runs go on elsewhere, and a run that keeps killing workers is given up."""

import asyncio

import pytest

from callboard.domain.errors import Conflict, LeaseLost
from callboard.domain.event import EventKind
from callboard.domain.run import RunStatus
from callboard.store.approvals import ApprovalStatus
from callboard.store.claims import Release, Takeover
from callboard.store.store import Store
from tests.conformance.store.adapters import Adapter
from tests.conformance.store.conftest import MakeStore
from tests.conformance.store.play import (
    ANNA,
    BEN,
    CARL,
    FLOWS,
    LATER,
    T0,
    TENANT,
    approval,
    asked,
    child_of,
    claim,
    end,
    event,
    journal_of,
    letters,
    many_running,
    park,
    running,
    send,
    seqs_of,
    start,
    status_of,
)

LEASE = 30.0
DEATHS = 3


@pytest.fixture
async def store(store: Store) -> Store:
    """All three workers are announced in one store, as in a process that runs several."""
    await store.claims.register(BEN, T0)
    await store.claims.register(CARL, T0)
    return store


async def beat(store: Store, *workers: str) -> None:
    for worker in workers:
        store.claims.beat(worker)
    while set(workers) - {w.id for w in await store.claims.workers() if w.beat_age <= LEASE}:
        pass  # a heartbeat does not wait until it is written


async def silence(adapter: Adapter, store: Store, *silent: str) -> None:
    """Time passes, and all workers but these go on beating."""
    await adapter.pass_time(2 * LEASE)
    if beating := {ANNA, BEN, CARL} - set(silent):
        await beat(store, *beating)


async def sweep(store: Store, worker: str = BEN) -> Takeover:
    return await store.claims.take_over(worker, LEASE, DEATHS, LATER)


async def die(adapter: Adapter, store: Store) -> Takeover:
    """ANNA falls silent, BEN notices, and ANNA is back for the next round."""
    await silence(adapter, store, ANNA)
    done = await sweep(store)
    await beat(store, ANNA)
    return done


async def killed(adapter: Adapter, store: Store, times: int) -> str:
    """A run whose owner died that often without getting anything done."""
    held = await running(store)
    await die(adapter, store)
    for _ in range(times - 1):
        await claim(store, held.run_id, suspects=True)
        await die(adapter, store)
    return held.run_id


async def test_the_runs_of_a_silent_worker_are_ready_again(adapter: Adapter, store: Store) -> None:
    claims = await many_running(store, 5)
    await silence(adapter, store, ANNA)
    done = await sweep(store)
    assert sorted(done.ready) == [c.run_id for c in claims]
    assert (done.dead, done.workers) == ((), (ANNA,))
    assert await store.runs.counts(TENANT) == {RunStatus.READY: 5}


async def test_the_runs_of_workers_that_live_are_left_alone(adapter: Adapter, store: Store) -> None:
    mine, theirs = await running(store, BEN), await running(store, CARL)
    await silence(adapter, store)
    assert await sweep(store) == Takeover()
    await store.journal.append(mine, [event(1)])
    await store.journal.append(theirs, [event(1)])
    await silence(adapter, store, ANNA)
    assert (await sweep(store)).ready == ()
    await store.journal.append(theirs, [event(2)])


async def test_a_worker_never_takes_its_own_runs_over(adapter: Adapter, store: Store) -> None:
    held = await running(store, BEN)
    await silence(adapter, store, ANNA, BEN, CARL)
    await sweep(store, BEN)
    assert await status_of(store, held.run_id) is RunStatus.RUNNING


async def test_runs_that_wait_or_have_ended_need_no_rescue(adapter: Adapter, store: Store) -> None:
    waits, done, ready = await many_running(store, 3)
    await store.claims.settle(waits, park())
    await store.claims.settle(done, end(1))
    await store.claims.settle(ready, Release())
    await silence(adapter, store, ANNA)
    assert await sweep(store) == Takeover((), (), (ANNA,))
    assert await status_of(store, waits.run_id) is RunStatus.WAITING
    assert (await store.runs.get(TENANT, ready.run_id)).deaths == 0


async def test_a_zombie_can_write_nothing_after_its_run_was_taken_over(adapter: Adapter, store: Store) -> None:
    zombie = await running(store)
    question = await asked(store, zombie)
    await silence(adapter, store, ANNA)
    await sweep(store)
    for again in (False, True):  # before and after somebody else claims the run
        if again:
            await claim(store, zombie.run_id, BEN, suspects=True)
        results = await asyncio.gather(
            store.journal.append(zombie, [event(2)]),
            store.claims.settle(zombie, end(2)),
            store.claims.settle(zombie, park()),
            store.claims.settle(zombie, Release()),
            store.approvals.close(zombie, question, ApprovalStatus.WITHDRAWN),
            store.inbox.read(zombie, 0),
            return_exceptions=True,
        )
        assert [type(r) for r in results] == [LeaseLost] * 6
    assert await seqs_of(store, zombie.run_id) == [0, 1]
    assert await status_of(store, zombie.run_id) is RunStatus.RUNNING
    assert (await approval(store, question)).status is ApprovalStatus.OPEN


async def test_an_owner_that_died_without_progress_counts_against_the_run(adapter: Adapter, store: Store) -> None:
    run_id = await killed(adapter, store, 1)
    assert (await store.runs.get(TENANT, run_id)).deaths == 1
    assert (await store.claims.outlook(BEN)).suspects == 1


async def test_an_owner_that_died_after_an_append_does_not_count(adapter: Adapter, store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1)])
    await die(adapter, store)
    assert (await store.runs.get(TENANT, held.run_id)).deaths == 0
    assert (await store.claims.outlook(BEN)).suspects == 0


async def test_progress_clears_a_run_of_earlier_deaths(adapter: Adapter, store: Store) -> None:
    run_id = await killed(adapter, store, DEATHS - 1)
    held = (await claim(store, run_id, suspects=True)).claim
    await store.journal.append(held, [event(1)])
    await die(adapter, store)
    assert (await store.runs.get(TENANT, run_id)).deaths == 0
    await claim(store, run_id)


async def test_parking_clears_a_run_of_earlier_deaths(adapter: Adapter, store: Store) -> None:
    run_id = await killed(adapter, store, 1)
    held = (await claim(store, run_id, suspects=True)).claim
    await store.claims.settle(held, park())
    assert (await store.runs.get(TENANT, run_id)).deaths == 0


async def test_suspects_are_claimed_one_at_a_time_and_apart_from_the_others(adapter: Adapter, store: Store) -> None:
    suspects = {c.run_id for c in await many_running(store, 2)}
    await die(adapter, store)
    innocent = {await start(store) for _ in range(3)}
    found = await store.claims.claim(BEN, FLOWS, 10, LATER)
    assert {c.run.id for c in found} == innocent
    alone = [await store.claims.claim(BEN, FLOWS, 10, LATER, suspects=True) for _ in range(3)]
    assert [len(some) for some in alone] == [1, 1, 0]
    assert {c.run.id for some in alone for c in some} == suspects


async def test_a_suspect_is_not_claimed_by_a_worker_that_does_not_know_its_flow(adapter: Adapter, store: Store) -> None:
    await killed(adapter, store, 1)
    assert await store.claims.claim(BEN, ["other@1"], 1, LATER, suspects=True) == []


async def test_a_run_that_kills_too_many_workers_is_given_up(adapter: Adapter, store: Store) -> None:
    held = await running(store)
    for _ in range(DEATHS - 1):
        assert (await die(adapter, store)).ready == (held.run_id,)
        await claim(store, held.run_id, suspects=True)
    done = await die(adapter, store)
    assert (done.ready, done.dead) == ((), (held.run_id,))
    run = await store.runs.get(TENANT, held.run_id)
    assert (run.status, run.finished_at) == (RunStatus.DEAD, LATER)
    assert run.error is not None
    assert (await store.runs.outcomes(TENANT, [run.id]))[run.id].error == run.error
    last = (await journal_of(store, run.id))[-1]
    assert (last.seq, last.kind) == (1, EventKind.RUN_DEAD)
    assert last.value()["message"] == run.error.message


async def test_a_run_that_was_given_up_is_neither_claimed_nor_sent_to(adapter: Adapter, store: Store) -> None:
    run_id = await killed(adapter, store, DEATHS)
    for suspects in (True, False):
        assert await store.claims.claim(BEN, FLOWS, 10, LATER, suspects=suspects) == []
    with pytest.raises(Conflict):
        await send(store, run_id)


async def test_the_parent_of_a_run_that_was_given_up_is_told(adapter: Adapter, store: Store) -> None:
    parent = await running(store, BEN)
    child = await child_of(store, parent, 1, path="1:pay")
    await store.claims.settle(parent, park())
    for _ in range(DEATHS):
        (found,) = [
            *await store.claims.claim(ANNA, FLOWS, 1, LATER),
            *await store.claims.claim(ANNA, FLOWS, 1, LATER, suspects=True),
        ]
        assert found.run.id == child
        await die(adapter, store)
    again = (await claim(store, parent.run_id, BEN)).letters
    assert [x.name for x in again] == ["child:1:pay"]
    assert b'"dead"' in again[0].body


async def test_questions_of_a_run_that_was_given_up_are_withdrawn(adapter: Adapter, store: Store) -> None:
    held = await running(store)
    question = await asked(store, held)
    for _ in range(DEATHS):  # asking is an intent, and an intent alone is no progress
        await die(adapter, store)
        if await status_of(store, held.run_id) is RunStatus.READY:
            await claim(store, held.run_id, suspects=True)
    assert await status_of(store, held.run_id) is RunStatus.DEAD
    assert (await approval(store, question)).status is ApprovalStatus.WITHDRAWN


async def test_letters_outlive_the_owner_that_had_not_answered_them(adapter: Adapter, store: Store) -> None:
    held = await running(store)
    await send(store, held.run_id)
    assert len(await letters(store, held)) == 1
    await die(adapter, store)
    assert len((await claim(store, held.run_id, BEN, suspects=True)).letters) == 1


async def test_a_worker_that_leaves_hands_its_runs_back_without_blame(store: Store) -> None:
    held = await running(store)
    await store.claims.retire(ANNA)
    run = await store.runs.get(TENANT, held.run_id)
    assert (run.status, run.deaths) == (RunStatus.READY, 0)
    assert ANNA not in [w.id for w in await store.claims.workers()]
    with pytest.raises(LeaseLost):
        await store.journal.append(held, [event(1)])
    await claim(store, held.run_id, BEN)
    with pytest.raises(LeaseLost):
        await store.journal.append(held, [event(1)])


async def test_a_worker_that_leaves_keeps_its_hands_off_the_runs_of_others(store: Store) -> None:
    theirs = await running(store, BEN)
    await store.claims.retire(ANNA)
    await store.journal.append(theirs, [event(1)])


async def test_workers_are_listed_with_what_they_run(adapter: Adapter, store: Store) -> None:
    await many_running(store, 2)
    await silence(adapter, store, ANNA)
    found = {w.id: w for w in await store.claims.workers()}
    assert found.keys() == {ANNA, BEN, CARL}
    assert {w.id: w.running for w in found.values()} == {ANNA: 2, BEN: 0, CARL: 0}
    assert found[ANNA].beat_age > LEASE > found[BEN].beat_age
    assert found[ANNA].started_at == T0
    assert found[BEN].alive


async def test_a_worker_that_was_taken_for_dead_and_comes_back_is_known_again(adapter: Adapter, store: Store) -> None:
    await die(adapter, store)
    assert ANNA in [w.id for w in await store.claims.workers()]
    held = await running(store)
    await silence(adapter, store, ANNA)
    assert (await sweep(store)).ready == (held.run_id,)


async def test_runs_that_a_worker_claimed_after_it_was_taken_for_dead_are_not_forgotten(
    adapter: Adapter, store: Store
) -> None:
    await silence(adapter, store, ANNA)
    await sweep(store)
    held = await running(store)  # ANNA was only stalled; it claims on, and dies before its next heartbeat
    await silence(adapter, store, ANNA)
    assert (await sweep(store)).ready == (held.run_id,)


async def test_two_sweeps_at_once_take_each_run_over_once(
    adapter: Adapter, store: Store, make_store: MakeStore
) -> None:
    other = await make_store()
    claims = await many_running(store, 20)
    await silence(adapter, store, ANNA)
    done = await asyncio.gather(
        sweep(store, BEN), other.claims.take_over(CARL, LEASE, DEATHS, LATER), sweep(store, BEN)
    )
    assert sorted(run_id for d in done for run_id in d.ready) == [c.run_id for c in claims]
    for held in claims:
        run = await store.runs.get(TENANT, held.run_id)
        assert (run.deaths, run.status) == (1, RunStatus.READY)
