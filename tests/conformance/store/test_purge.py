"""Old runs and their payloads go; what anybody still needs stays."""

import asyncio
from collections.abc import Sequence

import pytest

from callboard.domain.errors import LeaseLost, NotFound
from callboard.domain.run import RunStatus
from callboard.store.runs import Purge
from callboard.store.store import Store
from tests.conformance.store.play import (
    LARGE,
    LATER,
    STRANGER,
    T0,
    TENANT,
    asked,
    child_of,
    claim,
    end,
    ended,
    event,
    journal_of,
    new_id,
    new_run,
    park,
    running,
    send,
    start,
    status_of,
    waiting,
)

FAR = 4_000_000_000.0
ALL = [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.DEAD]
BODY = b'"%s"' % (b"x" * LARGE)


async def purge(
    store: Store,
    *,
    tenant: str = TENANT,
    before: float = FAR,
    statuses: Sequence[RunStatus] = ALL,
    batch: int = 100,
    blobs_before: float = FAR,
) -> Purge:
    return await store.runs.purge(tenant, before=before, statuses=statuses, batch=batch, blobs_before=blobs_before)


async def left(store: Store, tenant: str = TENANT) -> set[str]:
    return {run.id for run in await store.runs.find(tenant)}


async def ended_at(store: Store, at: float) -> str:
    held = await running(store)
    finish = end(1)
    last = type(finish.event)(1, finish.event.kind, "", b"", int(at * 1e6), 0, b"1")
    await store.claims.settle(held, type(finish)(finish.status, last))
    return held.run_id


async def test_a_purged_run_is_gone_with_all_that_belonged_to_it(store: Store) -> None:
    held = await running(store)
    question = await asked(store, held)
    await send(store, held.run_id)
    await store.claims.settle(held, end(2))
    assert await purge(store) == Purge(runs=1, events=3, blobs=0)
    with pytest.raises(NotFound):
        await store.runs.get(TENANT, held.run_id)
    with pytest.raises(NotFound):
        await store.journal.read(TENANT, held.run_id)
    with pytest.raises(NotFound):
        await store.approvals.get(TENANT, question)
    assert await store.approvals.find(TENANT) == []


async def test_only_runs_that_ended_before_the_given_time_go(store: Store) -> None:
    old = await ended_at(store, T0 + 10)
    young = await ended_at(store, T0 + 20)
    assert (await purge(store, before=T0 + 20)).runs == 1
    assert await left(store) == {young}
    assert old not in await left(store)


async def test_only_runs_of_the_given_statuses_go(store: Store) -> None:
    ids = {status: await ended(store, status) for status in ALL[:3]}
    await purge(store, statuses=[RunStatus.SUCCEEDED, RunStatus.CANCELLED])
    assert await left(store) == {ids[RunStatus.FAILED]}


async def test_runs_that_have_not_ended_stay_whatever_is_asked(store: Store) -> None:
    stay = {
        (await waiting(store)).run_id,
        await ended(store, RunStatus.BLOCKED),
        (await running(store)).run_id,
        await start(store),
    }
    assert await purge(store, statuses=list(RunStatus)) == Purge()
    assert await left(store) == stay


async def test_a_purge_takes_no_more_than_a_batch_oldest_first(store: Store) -> None:
    ids = [await ended_at(store, T0 + age) for age in (3, 1, 5, 2, 4)]
    assert (await purge(store, batch=2)).runs == 2
    assert await left(store) == {ids[0], ids[2], ids[4]}
    assert (await purge(store, batch=2)).runs == 2
    assert (await purge(store, batch=2)).runs == 1
    assert await left(store) == set()


async def test_other_tenants_are_untouched(store: Store) -> None:
    theirs = await ended(store, tenant=STRANGER, input=BODY)
    await ended(store, input=BODY)
    await purge(store)
    assert await left(store) == set()
    assert [e.body for e in await journal_of(store, theirs, STRANGER)] == [BODY, b'"done"']


async def test_a_run_stays_while_a_fork_needs_its_history(store: Store) -> None:
    origin = await ended(store)
    fork = await store.runs.fork(TENANT, origin, 0, new_id(), LATER)
    second = await store.runs.fork(TENANT, fork.id, 0, new_id(), LATER)
    assert await purge(store) == Purge()
    for held in [c.claim for c in await store.claims.claim("anna", ["order@1"], 2, LATER)]:
        await store.claims.settle(held, end(2))
    assert (await purge(store, batch=1)).runs == 1
    assert await left(store) == {origin, fork.id}
    assert second.id not in await left(store)
    await purge(store, batch=1)
    await purge(store, batch=1)
    assert await left(store) == set()


async def test_a_parent_stays_while_a_child_is_under_way(store: Store) -> None:
    parent = await running(store)
    child = (await claim(store, await child_of(store, parent, 1))).claim
    await store.claims.settle(parent, end(2))
    assert (await purge(store)).runs == 0
    assert (await store.runs.get(TENANT, child.run_id)).parent == parent.run_id
    await store.claims.settle(child, end(1, notice=b"{}"))
    while (await purge(store)).runs:
        pass
    assert await left(store) == set()


async def test_a_child_that_ended_does_not_keep_a_parent_that_waits(store: Store) -> None:
    parent = await running(store)
    child = (await claim(store, await child_of(store, parent, 1))).claim
    await store.claims.settle(parent, park())
    await store.claims.settle(child, end(1, notice=b'{"output":7}'))
    assert (await purge(store)).runs == 1
    assert [x.body for x in (await claim(store, parent.run_id)).letters] == [b'{"output":7}']


async def test_a_payload_goes_when_nothing_refers_to_it_and_its_grace_is_over(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1, body=BODY)])
    await store.claims.settle(held, end(2))
    assert await purge(store, blobs_before=T0 - 3600) == Purge(runs=1, events=3, blobs=0)
    assert await purge(store, blobs_before=FAR) == Purge(runs=0, events=0, blobs=1)


async def test_a_payload_stays_while_any_run_refers_to_it(store: Store) -> None:
    keeper = await running(store, input=BODY)
    await ended(store, input=BODY)
    assert await purge(store) == Purge(runs=1, events=2, blobs=0)
    assert (await journal_of(store, keeper.run_id))[0].body == BODY


async def test_a_payload_that_is_written_again_begins_a_new_grace(store: Store) -> None:
    """An append may be about to refer to a payload that an older run has just let go of."""
    old, young = new_run(input=BODY, at=T0), new_run(input=BODY, at=LATER)
    for new in (old, young):
        await store.runs.start(new)
        held = (await store.claims.claim("anna", ["order@1"], 1, LATER))[0].claim
        await store.claims.settle(held, end(1))
    assert await purge(store, blobs_before=T0 + 500) == Purge(runs=2, events=4, blobs=0)
    assert await purge(store, blobs_before=LATER + 1) == Purge(runs=0, events=0, blobs=1)


async def test_an_old_claim_fits_no_run_that_came_after_a_purge(store: Store) -> None:
    held = await running(store)
    await store.claims.settle(held, end(1))
    await purge(store)
    new = await running(store)
    with pytest.raises(LeaseLost):
        await store.journal.append(held, [event(1)])
    assert len(await journal_of(store, new.run_id)) == 1


async def test_a_key_is_free_again_when_its_run_is_gone(store: Store) -> None:
    await ended(store, key="k", digest=b"first...")
    await purge(store)
    assert (await store.runs.start(new_run(key="k", digest=b"second.."))).created


async def test_runs_start_and_end_while_a_purge_goes_on(store: Store) -> None:
    for _ in range(10):
        await ended(store)
    results = await asyncio.gather(
        purge(store, batch=3), *[start(store) for _ in range(5)], purge(store, batch=3), purge(store, batch=10)
    )
    assert sum(r.runs for r in results if isinstance(r, Purge)) == 10
    assert len(await left(store)) == 5
    assert all([await status_of(store, run_id) is RunStatus.READY for run_id in await left(store)])
