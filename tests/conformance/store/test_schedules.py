"""Schedules are kept by tenant and name, found when they are due, and moved on by one alone."""

import asyncio
from typing import Any

import msgspec
import pytest

from callboard.domain.errors import NotFound
from callboard.store.schedules import CatchUp, Overlap, Schedule
from callboard.store.store import Store
from tests.conformance.store.play import STRANGER, T0, TENANT, new_id


def schedule(**changes: Any) -> Schedule:
    values: dict[str, Any] = {"tenant": TENANT, "name": "nightly", "flow": "order", "cron": "0 3 * * *", "next_at": T0}
    return Schedule(**values | changes)


async def due(store: Store, at: float = T0, limit: int = 10) -> list[str]:
    return [s.name for s in await store.schedules.due(at, limit)]


@pytest.mark.parametrize(
    "kept",
    [
        schedule(),
        schedule(zone="Europe/Berlin", input=b'{"n":[1,"\xc3\xa4"]}', next_at=T0 + 0.123456),
        schedule(overlap=Overlap.REPLACE, catch_up=CatchUp.ALL, paused=True),
        schedule(overlap=Overlap.QUEUE, catch_up=CatchUp.NONE, name="näïve 🎭 '--"),
        schedule(overlap=Overlap.ALLOW, last_at=T0 - 60, last_run=new_id()),
    ],
)
async def test_a_schedule_comes_back_as_it_was_put(store: Store, kept: Schedule) -> None:
    await store.schedules.put(kept)
    assert await store.schedules.get(TENANT, kept.name) == kept
    assert await store.schedules.find(TENANT) == [kept]


async def test_a_schedule_that_is_changed_keeps_its_last_start(store: Store) -> None:
    first = schedule()
    await store.schedules.put(first)
    run_id = new_id()
    assert await store.schedules.advance(first, T0 + 60, run_id)
    changed = schedule(flow="pay", cron="* * * * *", zone="Asia/Tokyo", input=b"1", overlap=Overlap.ALLOW,
                       catch_up=CatchUp.ALL, paused=True, next_at=T0 + 90)  # fmt: skip
    await store.schedules.put(changed)
    kept = await store.schedules.get(TENANT, first.name)
    assert kept == msgspec.structs.replace(changed, last_at=T0, last_run=run_id)


async def test_schedules_are_listed_by_name(store: Store) -> None:
    for name in ("b", "a", "B", "c"):
        await store.schedules.put(schedule(name=name))
    assert [s.name for s in await store.schedules.find(TENANT)] == ["B", "a", "b", "c"]


async def test_what_is_not_there_is_told(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.schedules.get(TENANT, "nightly")
    assert await store.schedules.find(TENANT) == []
    assert not await store.schedules.remove(TENANT, "nightly")
    assert not await store.schedules.pause(TENANT, "nightly", True)
    assert not await store.schedules.advance(schedule(), T0 + 1, None)


async def test_a_schedule_is_removed_once(store: Store) -> None:
    await store.schedules.put(schedule())
    await store.schedules.put(schedule(name="weekly"))
    assert await store.schedules.remove(TENANT, "nightly")
    assert not await store.schedules.remove(TENANT, "nightly")
    assert await due(store) == ["weekly"]


async def test_tenants_do_not_see_or_change_each_others_schedules(store: Store) -> None:
    mine, theirs = schedule(), schedule(tenant=STRANGER, flow="secret")
    await store.schedules.put(mine)
    await store.schedules.put(theirs)
    assert await store.schedules.find(TENANT) == [mine]
    assert await store.schedules.pause(STRANGER, "nightly", True)
    assert await store.schedules.remove(STRANGER, "nightly")
    assert await store.schedules.get(TENANT, "nightly") == mine


async def test_schedules_of_all_tenants_are_due_earliest_first(store: Store) -> None:
    for name, tenant, at in (("late", TENANT, T0), ("early", STRANGER, T0 - 9), ("future", TENANT, T0 + 0.001)):
        await store.schedules.put(schedule(name=name, tenant=tenant, next_at=at))
    assert await due(store) == ["early", "late"]
    assert await due(store, limit=1) == ["early"]
    assert await due(store, T0 - 10) == []
    assert await due(store, T0 + 1) == ["early", "late", "future"]


async def test_a_paused_schedule_is_not_due(store: Store) -> None:
    await store.schedules.put(schedule())
    assert await store.schedules.pause(TENANT, "nightly", True)
    assert await due(store) == []
    assert (await store.schedules.get(TENANT, "nightly")).paused
    assert await store.schedules.pause(TENANT, "nightly", False)
    assert await due(store) == ["nightly"]


async def test_an_advance_with_a_run_is_the_last_start(store: Store) -> None:
    first = schedule()
    await store.schedules.put(first)
    run_id = new_id()
    assert await store.schedules.advance(first, T0 + 60, run_id)
    assert await store.schedules.get(TENANT, first.name) == msgspec.structs.replace(
        first, next_at=T0 + 60, last_at=T0, last_run=run_id
    )
    assert await due(store, T0 + 59) == []


async def test_an_advance_without_a_run_leaves_the_last_start(store: Store) -> None:
    first = schedule(last_at=T0 - 60, last_run="earlier")
    await store.schedules.put(first)
    assert await store.schedules.advance(first, T0 + 60, None)
    kept = await store.schedules.get(TENANT, first.name)
    assert (kept.next_at, kept.last_at, kept.last_run) == (T0 + 60, T0 - 60, "earlier")


async def test_a_schedule_that_was_moved_on_meanwhile_is_not_moved_again(store: Store) -> None:
    seen = schedule(next_at=T0 + 1 / 3)
    await store.schedules.put(seen)
    assert await store.schedules.advance(seen, T0 + 60, "first")
    assert not await store.schedules.advance(seen, T0 + 120, "second")
    kept = await store.schedules.get(TENANT, seen.name)
    assert (kept.next_at, kept.last_run) == (T0 + 60, "first")


async def test_of_many_who_move_a_schedule_on_at_once_one_does(store: Store, other: Store) -> None:
    kept = [schedule(name=f"s{n}") for n in range(20)]
    for each in kept:
        await store.schedules.put(each)
    moves = [at.schedules.advance(each, T0 + 60, f"run {n}") for each in kept for n, at in enumerate((store, other))]
    done = await asyncio.gather(*moves)
    for n, each in enumerate(kept):
        pair = done[2 * n : 2 * n + 2]
        assert sorted(pair) == [False, True]
        assert (await store.schedules.get(TENANT, each.name)).last_run == f"run {pair.index(True)}"
