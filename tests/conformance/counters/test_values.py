"""A small value that changes only under the hand that has seen it last."""

import asyncio

import pytest

from callboard.resilience.counters import Counters
from tests.conformance.counters.adapters import Adapter

NAME = "upstream:mail"


async def test_there_is_nothing_at_first(counters: Counters) -> None:
    assert await counters.read(NAME) == (0, b"", 0.0)


async def test_a_value_is_written_and_read(counters: Counters) -> None:
    assert await counters.swap(NAME, 0, b'{"open":"\xc3\xb6"}')
    version, value, age = await counters.read(NAME)
    assert version > 0
    assert value == b'{"open":"\xc3\xb6"}'
    assert 0.0 <= age < 60


async def test_only_the_version_that_was_seen_last_can_be_swapped(counters: Counters) -> None:
    await counters.swap(NAME, 0, b"1")
    first, _, _ = await counters.read(NAME)
    assert not await counters.swap(NAME, 0, b"2")
    assert not await counters.swap(NAME, first + 1, b"2")
    assert await counters.swap(NAME, first, b"2")
    assert not await counters.swap(NAME, first, b"3")
    second, value, _ = await counters.read(NAME)
    assert second > first
    assert value == b"2"


async def test_what_is_not_there_has_no_other_version_than_none(counters: Counters) -> None:
    assert not await counters.swap(NAME, 1, b"1")
    assert await counters.read(NAME) == (0, b"", 0.0)


async def test_a_value_gets_older_until_it_is_written_again(counters: Counters, adapter: Adapter) -> None:
    await counters.swap(NAME, 0, b"1")
    await adapter.pass_time(1_000)
    version, _, age = await counters.read(NAME)
    assert age == pytest.approx(1_000, abs=60)
    await counters.swap(NAME, version, b"1")
    assert (await counters.read(NAME))[2] < 60


async def test_a_clock_that_is_set_back_makes_no_value_young_for_ever(counters: Counters, adapter: Adapter) -> None:
    await counters.swap(NAME, 0, b"1")
    await adapter.pass_time(-1_000)
    assert (await counters.read(NAME))[2] == pytest.approx(1_000, abs=60)


async def test_a_version_that_was_forgotten_does_not_come_again(counters: Counters) -> None:
    await counters.swap(NAME, 0, b"1")
    before, _, _ = await counters.read(NAME)
    await counters.forget(NAME)
    assert await counters.read(NAME) == (0, b"", 0.0)
    await counters.swap(NAME, 0, b"2")
    assert (await counters.read(NAME))[0] > before


async def test_one_of_all_who_race_wins(counters: Counters, other: Counters) -> None:
    for n in range(5):
        version, _, _ = await counters.read(NAME)
        swaps = (each.swap(NAME, version, b"%d" % n) for _ in range(20) for each in (counters, other))
        assert sum(await asyncio.gather(*swaps)) == 1
        assert await counters.read(NAME) != (0, b"", 0.0)
        assert (await other.read(NAME))[:2] == (await counters.read(NAME))[:2]


async def test_the_kinds_do_not_touch_each_other(counters: Counters) -> None:
    assert await counters.take(NAME, 1, 1, 3_600) == 0.0
    assert await counters.enter(NAME, "anna", 1, 600)
    assert await counters.add(NAME, 4, 60) == 4
    assert await counters.swap(NAME, 0, b"1")
    assert await counters.take(NAME, 1, 1, 3_600) > 0.0
    assert not await counters.enter(NAME, "ben", 1, 600)
    assert await counters.count(NAME, 60) == 4
    await counters.forget(NAME)
    assert await counters.take(NAME, 1, 1, 3_600) == 0.0
    assert await counters.enter(NAME, "ben", 1, 600)
    assert await counters.count(NAME, 60) == 0
    assert (await counters.read(NAME))[0] == 0
