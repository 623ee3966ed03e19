"""Whose turn it is: priorities age, a tenant's backlog delays nobody else, labels and delays are respected."""

import pytest

from callboard.domain.run import RunStatus
from callboard.store.claims import Release
from callboard.store.letter import CANCEL
from callboard.store.store import Store
from tests.conformance.store.play import ANNA, FLOWS, LATER, T0, TENANT, claim, park, running, send, start, waiting


async def take(store: Store, count: int, labels: tuple[str, ...] = ()) -> list[str]:
    return [c.run.id for c in await store.claims.claim(ANNA, FLOWS, count, LATER, labels=labels)]


async def test_another_tenants_first_run_does_not_wait_for_a_backlog(store: Store) -> None:
    for n in range(300):
        await start(store, tenant="greedy", at=T0 + n / 1000)
    modest = await start(store, tenant="modest", at=T0 + 1)
    assert modest in await take(store, 5)


async def test_two_backlogs_are_served_in_turn(store: Store) -> None:
    for tenant in ("anton", "berta"):
        for _ in range(50):
            await start(store, tenant=tenant, at=T0)
    found = await store.claims.claim(ANNA, FLOWS, 20, LATER)
    assert sorted(c.run.tenant for c in found) == ["anton"] * 10 + ["berta"] * 10


async def test_within_a_tenant_runs_keep_the_order_of_their_starts(store: Store) -> None:
    ids = [await start(store, at=T0) for _ in range(20)]
    assert await take(store, 20) == ids


async def test_a_queue_that_was_worked_off_begins_anew(store: Store) -> None:
    for _ in range(50):
        await start(store, tenant="greedy", at=T0)
    assert len(await take(store, 50)) == 50
    again = await start(store, tenant="greedy", at=T0 + 1)
    other = await start(store, tenant="modest", at=T0 + 2)
    assert await take(store, 2) == [again, other]


async def test_a_minute_of_waiting_is_worth_one_step_of_priority(store: Store) -> None:
    old = await start(store, tenant="patient", at=T0)
    urgent = await start(store, tenant="hasty", priority=1, at=T0 + 50)
    assert await take(store, 1) == [urgent]
    urgent_too_late = await start(store, tenant="hasty", priority=1, at=T0 + 70)
    assert await take(store, 2) == [old, urgent_too_late]


async def test_many_that_wake_at_once_do_not_delay_another_tenant(store: Store) -> None:
    for _ in range(40):
        await waiting(store, tenant="greedy", wake_at=T0 + 5)
    assert await store.claims.wake_due(T0 + 10, 1_000) == 40
    modest = await start(store, tenant="modest", at=T0 + 11)
    assert modest in await take(store, 5)


async def test_a_run_goes_only_to_a_worker_with_the_label_that_it_needs(store: Store) -> None:
    heavy = await start(store, needs="gpu")
    light = await start(store)
    assert await take(store, 10) == [light]
    assert await take(store, 10, ("fast",)) == []
    assert await take(store, 10, ("fast", "gpu")) == [heavy]
    assert (await store.runs.get(TENANT, heavy)).needs == "gpu"


async def test_a_delayed_run_waits_for_its_time(store: Store) -> None:
    run_id = await start(store, start_at=T0 + 100)
    found = await store.runs.get(TENANT, run_id)
    assert (found.status, found.start_at, found.wake_at) == (RunStatus.WAITING, T0 + 100, T0 + 100)
    assert (await store.claims.outlook(ANNA)).next_due == T0 + 100
    assert await store.claims.wake_due(T0 + 99, 10) == 0
    assert await take(store, 1) == []
    assert await store.claims.wake_due(T0 + 100, 10) == 1
    assert await take(store, 1) == [run_id]


async def test_a_letter_does_not_start_a_delayed_run_and_a_cancel_does(store: Store) -> None:
    run_id = await start(store, start_at=T0 + 100_000)
    assert await send(store, run_id) is RunStatus.WAITING
    assert await take(store, 1) == []
    assert await send(store, run_id, CANCEL, "enough") is RunStatus.READY
    found = await claim(store, run_id)
    assert [letter.name for letter in found.letters] == ["signal:go", CANCEL]


async def test_a_delayed_run_that_was_begun_is_woken_by_letters_like_any_other(store: Store) -> None:
    run_id = await start(store, start_at=T0 + 10)
    await store.claims.wake_due(T0 + 10, 10)
    held = (await claim(store, run_id)).claim
    assert (await store.claims.settle(held, park())).done
    assert await send(store, run_id) is RunStatus.READY


@pytest.mark.parametrize("priority", [-3, 0, 4])
async def test_a_run_that_is_handed_back_keeps_its_place(store: Store, priority: int) -> None:
    held = await running(store, priority=priority)
    rival = await start(store, tenant="rival", priority=priority)
    await store.claims.settle(held, Release())
    assert await take(store, 2) == [held.run_id, rival]


async def test_the_backlog_is_counted(store: Store) -> None:
    empty = await store.claims.backlog()
    assert (empty.ready, empty.running, empty.waiting, empty.oldest, empty.tenants) == (0, 0, 0, None, {})
    await running(store)
    await waiting(store)
    await start(store, tenant="anton", at=T0 + 7)
    await start(store, tenant="anton", at=T0 + 3)
    await start(store, tenant="berta", at=T0 + 5)
    found = await store.claims.backlog()
    assert (found.ready, found.running, found.waiting) == (3, 1, 1)
    assert (found.oldest, found.tenants) == (T0 + 3, {"anton": 2, "berta": 1})
