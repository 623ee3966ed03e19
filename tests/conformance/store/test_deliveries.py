"""Messages that a run has ended: each is taken when it is due and its run has ended, and settled once."""

import asyncio
from typing import Any

import msgspec

from callboard.domain.run import RunStatus
from callboard.store.deliveries import DeliveryStatus, Due
from callboard.store.store import Store
from tests.conformance.store.play import LATER, STRANGER, T0, TENANT, ended, waiting
from tests.conformance.store.talking import delivery

PENDING, DONE, FAILED = DeliveryStatus
LEASE = 60.0


async def taken(store: Store, now: float = LATER, limit: int = 10) -> list[str]:
    return [due.delivery.id for due in await store.deliveries.take(now, LEASE, limit)]


async def test_a_delivery_is_due_once_its_run_has_ended(store: Store) -> None:
    running = await waiting(store)
    early = delivery(running.run_id)
    await store.deliveries.add(early)
    done = await ended(store, RunStatus.FAILED)
    kept = delivery(done, url="https://x.example/päth?q='--", due=T0 + 1 / 3, tries=2, said="503 ü")
    await store.deliveries.add(kept)
    assert await store.deliveries.find(TENANT) == [kept, early]
    assert await taken(store, T0) == []
    (found,) = await store.deliveries.take(LATER, LEASE, 10)
    assert found == Due(msgspec.structs.replace(kept, due=LATER + LEASE), "order", RunStatus.FAILED)
    assert await taken(store, LATER + LEASE - 1) == [], "somebody is at it"
    assert await taken(store, LATER + LEASE) == [kept.id], "who took it did not come back"


async def test_one_run_and_address_has_one_delivery(store: Store) -> None:
    run_id = await ended(store)
    first = delivery(run_id)
    await store.deliveries.add(first)
    await store.deliveries.add(delivery(run_id))
    await store.deliveries.add(first)
    other = delivery(run_id, url="https://y.example")
    await store.deliveries.add(other)
    assert await store.deliveries.find(TENANT, run_id=run_id) == [other, first]


async def test_what_came_of_a_try_is_kept(store: Store) -> None:
    run_id = await ended(store)
    later, done, failed = (delivery(run_id, url=f"https://{n}.example", due=T0 + n) for n in range(3))
    for each in (later, done, failed):
        await store.deliveries.add(each)
    assert {*await taken(store, limit=2)} == {later.id, done.id}, "those that have been due longest come first"
    assert await taken(store) == [failed.id]
    await store.deliveries.settle(TENANT, later.id, PENDING, LATER + 5, "503")
    await store.deliveries.settle(TENANT, done.id, DONE, LATER, "200")
    await store.deliveries.settle(TENANT, failed.id, FAILED, LATER, "410")
    await store.deliveries.settle(TENANT, done.id, FAILED, LATER, "came too late")
    await store.deliveries.settle(STRANGER, later.id, FAILED, LATER, "not theirs")
    assert await taken(store, LATER + 5) == [later.id]
    found = {each.id: (each.status, each.tries, each.said) for each in await store.deliveries.find(TENANT)}
    assert found == {later.id: (PENDING, 1, "503"), done.id: (DONE, 1, "200"), failed.id: (FAILED, 1, "410")}
    assert [each.id for each in await store.deliveries.find(TENANT, status=FAILED)] == [failed.id]
    assert [each.id for each in await store.deliveries.find(TENANT, run_id=run_id, limit=1)] == [failed.id]
    assert await store.deliveries.find(STRANGER) == []


async def test_deliveries_of_all_tenants_are_taken_each_by_one_worker(store: Store, other: Store) -> None:
    everything = []
    for n in range(40):
        tenant = (TENANT, STRANGER)[n % 2]
        run_id = await ended(store, tenant=tenant)
        await store.deliveries.add(each := delivery(run_id, tenant=tenant))
        everything.append(each.id)
    parts = await asyncio.gather(*[taken(each, limit=7) for _ in range(4) for each in (store, other)])
    found = [each for part in parts for each in part]
    assert sorted(found) == sorted(set(found)), "each is taken once"
    assert sorted(found + await taken(store, limit=100)) == sorted(everything)


async def test_a_delivery_of_no_run_fails_when_there_was_time_to_start_it(store: Store) -> None:
    gone = delivery("nobody", created_at=T0 + 1)
    mine = delivery(await ended(store, tenant=STRANGER), created_at=T0 + 1)
    for each in (gone, mine):
        await store.deliveries.add(each)
    assert await taken(store, T0 + LEASE) == []
    assert {each.status for each in await store.deliveries.find(TENANT)} == {PENDING}
    assert await taken(store, T0 + 1 + LEASE) == []
    for each in await store.deliveries.find(TENANT):
        assert (each.status, each.tries, each.said) == (FAILED, 0, "there is no such run")


async def test_a_run_is_purged_with_its_deliveries_once_they_are_settled(store: Store) -> None:
    run_id = await ended(store)
    await store.deliveries.add(kept := delivery(run_id))
    purge: dict[str, Any] = {"before": 5e9, "statuses": [RunStatus.SUCCEEDED], "batch": 9, "blobs_before": 0.0}
    assert (await store.runs.purge(TENANT, **purge)).runs == 0
    await store.deliveries.settle(TENANT, kept.id, DONE, LATER, "200")
    assert (await store.runs.purge(TENANT, **purge)).runs == 1
    assert await store.deliveries.find(TENANT) == []
