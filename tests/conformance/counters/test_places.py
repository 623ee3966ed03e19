"""So many at once, over all processes; a dead holder's place comes free."""

import asyncio

from callboard.resilience.counters import Counters
from tests.conformance.counters.adapters import Adapter

NAME = "upstream:search"
LEASE = 600.0  # seconds


async def test_there_are_as_many_places_as_the_limit_says(counters: Counters) -> None:
    entered = [await counters.enter(NAME, f"h{n}", 3, LEASE) for n in range(5)]
    assert entered == [True, True, True, False, False]


async def test_a_place_that_is_left_is_free(counters: Counters) -> None:
    assert await counters.enter(NAME, "anna", 1, LEASE)
    assert not await counters.enter(NAME, "ben", 1, LEASE)
    await counters.leave(NAME, "anna")
    assert await counters.enter(NAME, "ben", 1, LEASE)


async def test_leaving_what_one_does_not_hold_harms_nobody(counters: Counters) -> None:
    await counters.leave(NAME, "anna")
    assert await counters.enter(NAME, "ben", 1, LEASE)
    await counters.leave(NAME, "anna")
    assert not await counters.enter(NAME, "cleo", 1, LEASE)


async def test_a_dead_holders_place_comes_free_after_its_lease(counters: Counters, adapter: Adapter) -> None:
    assert await counters.enter(NAME, "anna", 1, LEASE)
    await adapter.pass_time(LEASE - 60)
    assert not await counters.enter(NAME, "ben", 1, LEASE)
    await adapter.pass_time(61)
    assert await counters.enter(NAME, "ben", 1, LEASE)


async def test_entering_again_renews_the_lease_and_takes_no_second_place(counters: Counters, adapter: Adapter) -> None:
    for _ in range(5):
        assert await counters.enter(NAME, "anna", 2, LEASE)
        await adapter.pass_time(LEASE * 0.9)
    assert await counters.enter(NAME, "ben", 2, LEASE)
    assert not await counters.enter(NAME, "cleo", 2, LEASE)


async def test_one_who_renews_too_late_finds_the_place_taken(counters: Counters, adapter: Adapter) -> None:
    assert await counters.enter(NAME, "anna", 1, LEASE)
    await adapter.pass_time(LEASE + 1)
    assert await counters.enter(NAME, "ben", 1, LEASE)
    assert not await counters.enter(NAME, "anna", 1, LEASE)


async def test_one_who_renews_too_late_may_find_it_free(counters: Counters, adapter: Adapter) -> None:
    assert await counters.enter(NAME, "anna", 1, LEASE)
    await adapter.pass_time(LEASE + 1)
    assert await counters.enter(NAME, "anna", 1, LEASE)
    assert not await counters.enter(NAME, "ben", 1, LEASE)


async def test_a_lower_limit_drives_nobody_out(counters: Counters) -> None:
    for holder in ("anna", "ben", "cleo"):
        assert await counters.enter(NAME, holder, 3, LEASE)
    assert await counters.enter(NAME, "anna", 1, LEASE)
    await counters.leave(NAME, "ben")
    assert not await counters.enter(NAME, "dora", 2, LEASE)
    await counters.leave(NAME, "cleo")
    assert await counters.enter(NAME, "dora", 2, LEASE)


async def test_a_clock_that_is_set_back_keeps_no_place_for_ever(counters: Counters, adapter: Adapter) -> None:
    assert await counters.enter(NAME, "anna", 1, LEASE)
    await adapter.pass_time(-100 * LEASE)
    assert await counters.enter(NAME, "ben", 1, LEASE)


async def test_forgotten_places_are_free(counters: Counters) -> None:
    assert await counters.enter(NAME, "anna", 1, LEASE)
    await counters.forget(NAME)
    assert await counters.enter(NAME, "ben", 1, LEASE)


async def test_two_processes_that_race_share_the_places(counters: Counters, other: Counters) -> None:
    views = [counters, other]
    entered = await asyncio.gather(*(views[n % 2].enter(NAME, f"h{n}", 20, LEASE) for n in range(200)))
    assert sum(entered) == 20
    await asyncio.gather(*(views[n % 2].leave(NAME, f"h{n}") for n, held in enumerate(entered) if held))
    entered = await asyncio.gather(*(views[n % 2].enter(NAME, f"again{n}", 20, LEASE) for n in range(200)))
    assert sum(entered) == 20


async def test_the_same_holder_from_two_processes_is_one(counters: Counters, other: Counters) -> None:
    entered = await asyncio.gather(
        *(each.enter(NAME, "anna", 2, LEASE) for _ in range(10) for each in (counters, other))
    )
    assert all(entered)
    assert await other.enter(NAME, "ben", 2, LEASE)
    assert not await counters.enter(NAME, "cleo", 2, LEASE)


async def test_never_too_many_at_once_while_people_come_and_go(counters: Counters, other: Counters) -> None:
    inside = most = 0

    async def visit(view: Counters, holder: str) -> None:
        nonlocal inside, most
        for _ in range(10):
            if await view.enter(NAME, holder, 4, LEASE):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1
                await view.leave(NAME, holder)

    await asyncio.gather(*(visit([counters, other][n % 2], f"h{n}") for n in range(24)))
    assert 1 <= most <= 4
