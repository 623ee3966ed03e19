"""How many there were of late."""

import asyncio

from callboard.resilience.counters import Counters
from tests.conformance.counters.adapters import WINDOW, Adapter

NAME = "upstream:mail:failures"


async def test_nothing_was_counted_at_first(counters: Counters) -> None:
    assert await counters.count(NAME, WINDOW) == 0


async def test_adding_says_how_many_there_are_now(counters: Counters) -> None:
    assert await counters.add(NAME, 1, WINDOW) == 1
    assert await counters.add(NAME, 3, WINDOW) == 4
    assert await counters.count(NAME, WINDOW) == 4


async def test_the_window_slides(counters: Counters, adapter: Adapter) -> None:
    await counters.add(NAME, 1, WINDOW)
    await adapter.pass_time(WINDOW / 3)
    await counters.add(NAME, 2, WINDOW)
    await adapter.pass_time(WINDOW / 3)
    assert await counters.add(NAME, 4, WINDOW) == 7
    await adapter.pass_time(WINDOW / 3 + 1)
    assert await counters.count(NAME, WINDOW) == 6
    await adapter.pass_time(WINDOW / 3)
    assert await counters.count(NAME, WINDOW) == 4
    assert await counters.add(NAME, 8, WINDOW) == 12
    await adapter.pass_time(WINDOW)
    assert await counters.count(NAME, WINDOW) in (0, 8)  # a slot may end between the two looks
    await adapter.pass_time(WINDOW)
    assert await counters.count(NAME, WINDOW) == 0


async def test_a_clock_that_is_set_back_counts_nothing_for_ever(counters: Counters, adapter: Adapter) -> None:
    await counters.add(NAME, 5, WINDOW)
    await adapter.pass_time(-10 * WINDOW)
    assert await counters.count(NAME, WINDOW) == 0
    assert await counters.add(NAME, 1, WINDOW) == 1


async def test_two_processes_count_together(counters: Counters, other: Counters) -> None:
    totals = await asyncio.gather(*(each.add(NAME, 1, WINDOW) for _ in range(50) for each in (counters, other)))
    assert max(totals) == 100
    assert await counters.count(NAME, WINDOW) == await other.count(NAME, WINDOW) == 100
