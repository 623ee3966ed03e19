"""A rate grants exactly its limit, over all processes, and says when there will be more."""

import asyncio
import math

import pytest

from callboard.resilience.batching import Batching
from callboard.resilience.counters import Counters
from tests.conformance.counters.adapters import Adapter

HOUR = 3_600.0  # seconds: a period in which nothing comes back while a test runs
NAME = "acme/upstream:openai {rpm}"


async def drain(counters: Counters, limit: float, period: float = HOUR) -> None:
    assert await counters.take(NAME, limit, limit, period) == 0.0


async def test_a_full_bucket_can_be_emptied_at_once(counters: Counters) -> None:
    waits = [await counters.take(NAME, 1, 3, HOUR) for _ in range(4)]
    assert waits[:3] == [0.0, 0.0, 0.0]
    assert waits[3] == pytest.approx(1_200, abs=60)


async def test_a_refusal_counts_nothing(counters: Counters) -> None:
    await counters.take(NAME, 60, 100, HOUR)
    for _ in range(5):
        assert await counters.take(NAME, 50, 100, HOUR) == pytest.approx(360, abs=60)
    assert await counters.take(NAME, 40, 100, HOUR) == 0.0


async def test_the_wait_is_long_enough(counters: Counters, adapter: Adapter) -> None:
    await drain(counters, 7)
    wait = await counters.take(NAME, 3, 7, HOUR)
    await adapter.pass_time(wait - HOUR / 7 / 2)
    assert await counters.take(NAME, 3, 7, HOUR) > 0.0
    await adapter.pass_time(HOUR / 7 / 2)
    assert await counters.take(NAME, 3, 7, HOUR) == 0.0


async def test_what_is_not_taken_is_not_saved_up_beyond_the_limit(counters: Counters, adapter: Adapter) -> None:
    await drain(counters, 5)
    await adapter.pass_time(50 * HOUR)
    waits = [await counters.take(NAME, 1, 5, HOUR) for _ in range(6)]
    assert [wait == 0.0 for wait in waits] == [True] * 5 + [False]


async def test_a_cost_above_the_limit_is_never_granted(counters: Counters) -> None:
    assert await counters.take(NAME, 11, 10, HOUR) == math.inf
    assert await counters.take_all(NAME, [11, 10, 12], 10, HOUR) == [math.inf, 0.0, math.inf]


async def test_fractions_add_up(counters: Counters) -> None:
    waits = await counters.take_all(NAME, [0.1] * 11, 1.0, HOUR)
    assert [wait == 0.0 for wait in waits] == [True] * 10 + [False]


async def test_those_who_come_together_are_served_in_their_order(counters: Counters) -> None:
    waits = await counters.take_all(NAME, [4, 4, 4, 1], 10, HOUR)
    assert waits[:2] == [0.0, 0.0]
    assert waits[2] == pytest.approx(720, abs=60)
    assert waits[3] == pytest.approx(1_080, abs=60)
    assert await counters.take(NAME, 2, 10, HOUR) == 0.0  # neither of the refused was counted


async def test_nobody_asks_for_nothing(counters: Counters) -> None:
    assert await counters.take_all(NAME, [], 10, HOUR) == []


async def test_what_was_not_used_is_given_back(counters: Counters) -> None:
    await drain(counters, 100)
    await counters.give_back(NAME, 30, 100, HOUR)
    assert await counters.take(NAME, 30, 100, HOUR) == 0.0
    assert await counters.take(NAME, 2, 100, HOUR) > 0.0


async def test_giving_back_too_much_makes_no_larger_bucket(counters: Counters) -> None:
    await counters.give_back(NAME, 1_000, 10, HOUR)
    await drain(counters, 10)
    assert await counters.take(NAME, 1, 10, HOUR) > 0.0


async def test_what_was_used_beyond_the_estimate_is_a_debt(counters: Counters) -> None:
    await counters.give_back(NAME, -15, 10, HOUR)
    assert await counters.take(NAME, 1, 10, HOUR) == pytest.approx(HOUR * 0.6, rel=0.02)


async def test_a_debt_is_no_larger_than_one_more_limit(counters: Counters) -> None:
    await drain(counters, 10)
    await counters.give_back(NAME, -1_000_000, 10, HOUR)
    assert await counters.take(NAME, 10, 10, HOUR) == pytest.approx(2 * HOUR, rel=0.02)


async def test_a_limit_may_change(counters: Counters) -> None:
    await drain(counters, 1_000)
    assert await counters.take(NAME, 10, 10, HOUR) <= 2 * HOUR
    assert await counters.take(NAME, 500, 2_000, HOUR) == 0.0


async def test_a_clock_that_is_set_back_costs_no_more_than_two_periods(counters: Counters, adapter: Adapter) -> None:
    await drain(counters, 10)
    await adapter.pass_time(-100 * HOUR)
    assert await counters.take(NAME, 10, 10, HOUR) <= 2 * HOUR
    await adapter.pass_time(2 * HOUR)
    assert await counters.take(NAME, 10, 10, HOUR) == 0.0


async def test_names_are_counted_apart(counters: Counters) -> None:
    await drain(counters, 1)
    for name in ("acme/upstream:openai", "", "}", NAME.upper(), "%", "ö€"):
        assert await counters.take(name, 1, 1, HOUR) == 0.0, name
        assert await counters.take(name, 1, 1, HOUR) > 0.0, name


async def test_a_forgotten_rate_is_full(counters: Counters) -> None:
    await drain(counters, 1)
    await counters.forget(NAME)
    await drain(counters, 1)


async def test_two_processes_that_race_are_granted_exactly_the_limit(counters: Counters, other: Counters) -> None:
    takes = [each.take(NAME, 1, 100, HOUR) for _ in range(250) for each in (counters, other)]
    waits = await asyncio.gather(*takes)
    assert sum(wait == 0.0 for wait in waits) == 100


async def test_two_processes_that_line_up_are_granted_exactly_the_limit(counters: Counters, other: Counters) -> None:
    lines = [Batching(counters), Batching(other)]
    waits = await asyncio.gather(*(line.take(NAME, 1, 100, HOUR) for _ in range(250) for line in lines))
    assert sum(wait == 0.0 for wait in waits) == 100


async def test_two_processes_that_give_back_lose_nothing(counters: Counters, other: Counters) -> None:
    await drain(counters, 100)
    await asyncio.gather(*(each.give_back(NAME, 1, 100, HOUR) for _ in range(25) for each in (counters, other)))
    waits = await asyncio.gather(*(each.take(NAME, 1, 100, HOUR) for _ in range(50) for each in (counters, other)))
    assert sum(wait == 0.0 for wait in waits) == 50
