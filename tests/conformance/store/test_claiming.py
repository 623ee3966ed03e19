"""A worker claims the best ready runs; no run has two owners."""

import asyncio

import pytest

from callboard.domain.run import RunStatus
from callboard.store.claims import Release
from callboard.store.letter import Letter
from callboard.store.store import Store
from tests.conformance.store.play import (
    ANNA,
    BEN,
    FLOWS,
    LATER,
    T0,
    TENANT,
    claim,
    end,
    ended,
    event,
    journal_of,
    running,
    send,
    start,
    status_of,
    waiting,
)


async def claimed_ids(store: Store, limit: int = 100, worker: str = ANNA, at: float = LATER) -> list[str]:
    return [c.run.id for c in await store.claims.claim(worker, FLOWS, limit, at)]


async def test_a_claimed_run_is_running_under_a_higher_epoch(store: Store) -> None:
    run_id = await start(store)
    found = await claim(store, run_id)
    run = await store.runs.get(TENANT, run_id)
    assert run.status is RunStatus.RUNNING
    assert (found.claim.run_id, found.claim.tenant, found.claim.epoch) == (run_id, TENANT, run.epoch)
    assert run.epoch > 0
    assert found.run == run


async def test_each_claim_of_a_run_has_a_higher_epoch(store: Store) -> None:
    run_id = await start(store)
    epochs = []
    for _ in range(3):
        held = (await claim(store, run_id)).claim
        epochs.append(held.epoch)
        await store.claims.settle(held, Release())
    assert epochs == sorted(set(epochs))


async def test_a_claim_brings_the_journal_and_the_letters(store: Store) -> None:
    held = await running(store, labels={"a": "b"})
    await store.journal.append(held, [event(1), event(2)])
    await send(store, held.run_id, "signal:a", 1)
    await send(store, held.run_id, "signal:b", 2)
    await store.claims.settle(held, Release())
    found = await claim(store, held.run_id)
    assert found.events == await journal_of(store, held.run_id)
    assert found.letters == [Letter(1, "signal:a", b"1"), Letter(2, "signal:b", b"2")]
    assert (found.inbox_seq, found.run.labels) == (2, {"a": "b"})


async def test_one_claim_keeps_the_journals_of_its_runs_apart(store: Store) -> None:
    ids = [await start(store, input=b"%d" % n) for n in range(10)]
    for run_id in ids[::2]:
        await send(store, run_id, "signal:x", run_id)
    found = {c.run.id: c for c in await store.claims.claim(ANNA, FLOWS, 10, LATER)}
    assert [found[run_id].events[0].value() for run_id in ids] == list(range(10))
    assert [len(found[run_id].letters) for run_id in ids] == [1, 0] * 5


async def test_higher_priority_goes_first_and_then_the_longest_waiting(store: Store) -> None:
    third = await start(store, priority=0, at=T0 + 1)
    fourth = await start(store, priority=0, at=T0 + 2)
    last = await start(store, priority=-1, at=T0)
    first = await start(store, priority=5, at=T0 + 3)
    second = await start(store, priority=5, at=T0 + 9)
    order = [(await claimed_ids(store, 1))[0] for _ in range(5)]
    assert order == [first, second, third, fourth, last]


async def test_several_runs_claimed_at_once_come_best_first(store: Store) -> None:
    plain = await start(store, priority=0, at=T0)
    urgent = await start(store, priority=9, at=T0 + 2)
    soon = await start(store, priority=5, at=T0 + 1)
    assert await claimed_ids(store) == [urgent, soon, plain]


async def test_a_run_that_was_handed_back_keeps_its_place(store: Store) -> None:
    old = await running(store)
    young = await start(store)
    await store.claims.settle(old, Release())
    assert await claimed_ids(store, 1) == [old.run_id]
    assert await claimed_ids(store, 1) == [young]


async def test_no_more_runs_are_claimed_than_asked_for(store: Store) -> None:
    for _ in range(5):
        await start(store)
    assert len(await claimed_ids(store, 3)) == 3
    assert len(await claimed_ids(store, 3)) == 2
    assert await claimed_ids(store, 3) == []


async def test_a_worker_claims_only_the_flows_and_versions_that_it_knows(store: Store) -> None:
    wanted = await start(store, flow="order", version="1")
    for flow, version in (("order", "2"), ("refund", "1"), ("order@1", "1"), ("orde", "r@1")):
        await start(store, flow=flow, version=version)
    assert await claimed_ids(store) == [wanted]


async def test_a_worker_that_knows_no_flow_claims_nothing(store: Store) -> None:
    await start(store)
    assert await store.claims.claim(ANNA, [], 10, LATER) == []


async def test_only_ready_runs_are_claimed(store: Store) -> None:
    await waiting(store)
    for status in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.BLOCKED):
        await ended(store, status)
    await running(store)
    assert await claimed_ids(store) == []


async def test_runs_of_every_tenant_are_claimed(store: Store) -> None:
    ids = {await start(store, tenant=f"tenant {n}") for n in range(3)}
    found = await store.claims.claim(ANNA, FLOWS, 10, LATER)
    assert {c.run.id for c in found} == ids
    assert {c.claim.tenant for c in found} == {"tenant 0", "tenant 1", "tenant 2"}


async def test_two_workers_that_claim_at_once_share_the_runs_and_never_one_run(store: Store, other: Store) -> None:
    ids = {await start(store) for _ in range(200)}
    taken: dict[str, list[str]] = {ANNA: [], BEN: []}

    async def work(at: Store, worker: str) -> None:
        while found := await at.claims.claim(worker, FLOWS, 3, LATER):
            taken[worker] += [c.run.id for c in found]
            await asyncio.gather(*[at.journal.append(c.claim, [event(1)]) for c in found])

    await asyncio.gather(work(store, ANNA), work(other, BEN))
    assert taken[ANNA] and taken[BEN]
    assert len(taken[ANNA]) + len(taken[BEN]) == len(ids)
    assert {*taken[ANNA], *taken[BEN]} == ids
    assert await store.runs.counts(TENANT) == {RunStatus.RUNNING: len(ids)}


async def test_claims_queued_at_once_in_one_store_never_share_a_run(store: Store) -> None:
    ids = {await start(store) for _ in range(40)}
    found = await asyncio.gather(*[claimed_ids(store, 5, f"worker {n}") for n in range(12)])
    taken = [run_id for some in found for run_id in some]
    assert len(taken) == len(ids)
    assert set(taken) == ids


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.BLOCKED])
async def test_a_run_that_is_done_with_stays_so_when_others_are_claimed(store: Store, status: RunStatus) -> None:
    held = await running(store)
    await store.claims.settle(held, end(1, status))
    await claim(store, await start(store))
    assert await status_of(store, held.run_id) is status
