"""Messages that a run has ended: each is taken when it is due and its run has ended, and settled once."""

import asyncio
from typing import Any

import msgspec
import pytest

from callboard.domain.errors import KeyConflict
from callboard.domain.run import RunStatus
from callboard.store.deliveries import Delivery, DeliveryStatus, Due, Signing
from callboard.store.store import Store
from tests.conformance.store.play import LATER, STRANGER, T0, TENANT, claim, end, ended, new_run, waiting
from tests.conformance.store.talking import URL, also, told

PENDING, DONE, FAILED = DeliveryStatus
LEASE = 60.0


async def taken(store: Store, now: float = LATER, limit: int = 10) -> list[str]:
    return [due.delivery.id for due in await store.deliveries.take(now, LEASE, limit)]


async def of_run(store: Store, run_id: str) -> list[Delivery]:
    return await store.deliveries.find(TENANT, run_id=run_id)


async def test_a_delivery_is_due_once_its_run_has_ended(store: Store) -> None:
    running = await waiting(store, webhook=URL)
    kept = await told(store, RunStatus.FAILED)
    assert (kept.url, kept.status, kept.tries, kept.said, kept.due) == (URL, PENDING, 0, "", kept.created_at)
    assert [each.run_id for each in await store.deliveries.find(TENANT)] == [kept.run_id, running.run_id]
    assert await taken(store, T0 - 1) == []
    (found,) = await store.deliveries.take(LATER, LEASE, 10)
    assert found == Due(msgspec.structs.replace(kept, due=LATER + LEASE), "order", RunStatus.FAILED)
    assert await taken(store, LATER + LEASE - 1) == [], "somebody is at it"
    assert await taken(store, LATER + LEASE) == [kept.id], "who took it did not come back"


async def test_a_start_and_its_delivery_are_one_and_a_key_that_comes_again_adds_none(store: Store) -> None:
    wanted = new_run(key="k", webhook=URL)
    batch = [new_run(webhook=URL if n % 2 else None) for n in range(6)]
    found = await asyncio.gather(*[store.runs.start(each) for each in (wanted, *batch, wanted)])
    assert [each.created for each in found] == [True] * 7 + [False]
    [first] = await of_run(store, wanted.id)
    await also(store, "k", URL, at=T0 + 9)
    assert await of_run(store, wanted.id) == [first], "also long after"
    await also(store, "k", "https://y.example")
    assert [each.url for each in await of_run(store, wanted.id)] == ["https://y.example", URL]
    with pytest.raises(KeyConflict):
        await store.runs.start(new_run(key="k", webhook="https://z.example", digest=b"other..."))
    assert len(await store.deliveries.find(TENANT)) == 2 + 3


async def test_what_came_of_a_try_is_kept(store: Store) -> None:
    later, done, failed = [await told(store, key=f"k{n}", at=T0 + n) for n in range(3)]
    assert {*await taken(store, limit=2)} == {later.id, done.id}, "those that have been due longest come first"
    assert await taken(store) == [failed.id]
    await store.deliveries.settle(TENANT, later.id, PENDING, LATER + 5, "503 ü")
    await store.deliveries.settle(TENANT, done.id, DONE, LATER, "200")
    await store.deliveries.settle(TENANT, failed.id, FAILED, LATER, "410")
    await store.deliveries.settle(TENANT, done.id, FAILED, LATER, "came too late")
    await store.deliveries.settle(STRANGER, later.id, FAILED, LATER, "not theirs")
    assert await taken(store, LATER + 5) == [later.id]
    found = {each.id: (each.status, each.tries, each.said) for each in await store.deliveries.find(TENANT)}
    assert found == {later.id: (PENDING, 1, "503 ü"), done.id: (DONE, 1, "200"), failed.id: (FAILED, 1, "410")}
    assert [each.id for each in await store.deliveries.find(TENANT, status=FAILED)] == [failed.id]
    assert [each.id for each in await store.deliveries.find(TENANT, limit=1)] == [failed.id]
    assert await store.deliveries.find(STRANGER) == []


async def test_deliveries_of_all_tenants_are_taken_each_by_one_worker(store: Store, other: Store) -> None:
    everything = [(await told(store, tenant=(TENANT, STRANGER)[n % 2])).id for n in range(40)]
    parts = await asyncio.gather(*[taken(each, limit=7) for _ in range(4) for each in (store, other)])
    found = [each for part in parts for each in part]
    assert sorted(found) == sorted(set(found)), "each is taken once"
    assert sorted(found + await taken(store, limit=100)) == sorted(everything)


async def test_a_run_that_is_requeued_is_told_of_again_by_another_delivery(store: Store) -> None:
    for status, tries in ((RunStatus.FAILED, 1), (RunStatus.FAILED, 0)):
        first = await told(store, status)
        assert await taken(store) == [first.id]
        if tries:
            await store.deliveries.settle(TENANT, first.id, DONE, LATER, "HTTP 204")
        await store.runs.requeue(TENANT, first.run_id, "mended", LATER)
        second, still = await of_run(store, first.run_id)
        assert (still.id, second.status, second.tries, second.url) == (first.id, PENDING, 0, URL)
        assert (first.ending, second.ending, second.id == first.id) == (1, 2, False)
        assert await taken(store, LATER + LEASE) == [], "it has not ended"
        held = (await claim(store, first.run_id)).claim
        await store.claims.settle(held, end(3, RunStatus.BLOCKED))
        await store.runs.requeue(TENANT, first.run_id, "that was no end", LATER)
        held = (await claim(store, first.run_id)).claim
        await store.claims.settle(held, end(5))
        assert await taken(store, LATER + LEASE) == [second.id], "of the end before nothing is told any more"
        was = next(each for each in await of_run(store, first.run_id) if each.id == first.id)
        assert (was.status, was.said) == ((DONE, "HTTP 204") if tries else (FAILED, "the run was requeued"))
        await store.deliveries.settle(TENANT, second.id, DONE, LATER, "HTTP 204")
    assert len(await store.deliveries.find(TENANT)) == 4
    plain = await ended(store, RunStatus.FAILED)
    await store.runs.requeue(TENANT, plain, "", LATER)
    assert await of_run(store, plain) == []


async def test_a_run_is_purged_with_its_deliveries_once_they_are_settled(store: Store) -> None:
    kept = await told(store)
    purge: dict[str, Any] = {"before": 5e9, "statuses": [RunStatus.SUCCEEDED], "batch": 9, "blobs_before": 0.0}
    assert (await store.runs.purge(TENANT, **purge)).runs == 0
    await store.deliveries.settle(TENANT, kept.id, DONE, LATER, "200")
    assert (await store.runs.purge(TENANT, **purge)).runs == 1
    assert await store.deliveries.find(TENANT) == []


async def test_with_what_a_tenant_signs_is_changed_by_it_alone(store: Store) -> None:
    assert await store.deliveries.signing(TENANT) == Signing(1, 0.0)
    assert await store.deliveries.rotate(TENANT, LATER) == Signing(2, LATER)
    assert await store.deliveries.rotate(TENANT, 0.0) == Signing(3, 0.0) == await store.deliveries.signing(TENANT)
    assert await store.deliveries.signing(STRANGER) == Signing()
