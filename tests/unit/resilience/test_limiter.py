"""A limiter waits while that is short, says how long when it is not, and leaves nothing behind."""

import asyncio
from typing import Any

import pytest

from callboard.domain.errors import BreakerOpen, InputInvalid, RateLimited, StoreUnavailable
from callboard.resilience.in_process import InProcessCounters
from callboard.resilience.limiter import Concurrency, Limiter, Rate
from tests.unit.engine.play import let_pass


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def counters(time: Time) -> InProcessCounters:
    return InProcessCounters(time)


def limiter(counters: Any, time: Time, **options: Any) -> Limiter:
    return Limiter(counters, "upstream:mail", clock=time, sleep=time.sleep, **options)


async def hold(limiter: Limiter, cost: float = 1.0) -> None:
    async with limiter.hold(cost):
        pass


async def test_calls_within_the_rate_do_not_wait(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(3))
    for _ in range(3):
        await hold(limit)
    assert time.now == 0.0


async def test_a_short_wait_is_waited_for(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(60), patience=5)
    await hold(limit, 60)
    await hold(limit, 4)
    assert time.now == pytest.approx(4.0)


async def test_a_long_wait_is_the_callers(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(60), patience=5)
    await hold(limit, 60)
    with pytest.raises(RateLimited, match="upstream:mail") as refused:
        await hold(limit, 30)
    assert refused.value.retry_after == pytest.approx(30.0)
    assert time.now == 0.0
    time.now += refused.value.retry_after
    await hold(limit, 30)


async def test_patience_is_for_all_waits_together(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(60), patience=5)
    await hold(limit, 60)
    results = await asyncio.gather(*(hold(limit, 2) for _ in range(20)), return_exceptions=True)
    assert results.count(None) >= 2
    assert all(isinstance(result, RateLimited) for result in results if result is not None)
    assert time.now <= 20 * 5


async def test_what_can_never_be_granted_is_said_at_once(counters: InProcessCounters, time: Time) -> None:
    with pytest.raises(InputInvalid, match="never"):
        await hold(limiter(counters, time, rate=Rate(60)), 61)


async def test_what_was_not_used_is_given_back(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(60))
    async with limit.hold(60) as permit:
        permit.settle(10)
    await hold(limit, 50)
    assert time.now == 0.0


async def test_what_was_used_beyond_the_estimate_is_charged(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(60))
    async with limit.hold(10) as permit:
        permit.settle(70)
    with pytest.raises(RateLimited) as refused:
        await hold(limit, 1)
    assert refused.value.retry_after == pytest.approx(11.0)


async def test_a_call_that_failed_keeps_its_cost(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(60), patience=0)
    with pytest.raises(ValueError):
        async with limit.hold(60):
            raise ValueError
    with pytest.raises(RateLimited):
        await hold(limit)


async def test_a_call_that_was_not_made_costs_nothing(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(60), patience=0)
    with pytest.raises(BreakerOpen):
        async with limit.hold(60):
            raise BreakerOpen("upstream:mail is left alone")
    await hold(limit, 60)


async def test_so_many_at_once_over_all_limiters_of_a_name(counters: InProcessCounters, time: Time) -> None:
    limits = [limiter(counters, time, concurrency=Concurrency(3), patience=0) for _ in range(2)]
    async with limits[0].hold(), limits[1].hold(), limits[0].hold():
        for limit in limits:
            with pytest.raises(RateLimited, match="3 places"):
                await hold(limit)
    await hold(limits[1])


async def test_no_place_gives_the_rate_back(counters: InProcessCounters, time: Time) -> None:
    limit = limiter(counters, time, rate=Rate(2), concurrency=Concurrency(1), patience=0)
    async with limit.hold():
        with pytest.raises(RateLimited, match="places"):
            await hold(limit)
    await hold(limit)


async def test_those_who_wait_for_a_place_get_it_in_turn(counters: InProcessCounters) -> None:
    limit = Limiter(counters, "a", concurrency=Concurrency(2), patience=30)
    order: list[int] = []
    inside = most = 0

    async def work(n: int) -> None:
        nonlocal inside, most
        async with limit.hold():
            order.append(n)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(work(n) for n in range(40)))
    assert sorted(order) == list(range(40))
    assert most == 2


@pytest.mark.parametrize("when", ["waiting", "inside"])
async def test_one_who_is_cancelled_leaves_nothing_behind(counters: InProcessCounters, time: Time, when: str) -> None:
    limit = limiter(counters, time, rate=Rate(2), concurrency=Concurrency(1), patience=60)
    inside = asyncio.Event()

    async def work() -> None:
        async with limit.hold():
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    if when == "waiting":
        waiting = asyncio.create_task(hold(limit))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await counters.take("upstream:mail", 1, 2, 60) == 0.0  # its part of the rate came back
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await counters.enter("upstream:mail", "somebody else", 1, 60)
    assert {task for task in asyncio.all_tasks() if not task.done()} == {asyncio.current_task()}


async def test_a_long_call_keeps_its_place() -> None:
    def now() -> float:
        return asyncio.get_running_loop().time()

    counters = InProcessCounters(now)
    limit = Limiter(counters, "a", concurrency=Concurrency(1, lease=90), patience=0)
    async with limit.hold():
        for _ in range(10):
            await let_pass(31)
            assert not await counters.enter("a", "somebody else", 1, 90)


async def test_a_call_keeps_its_result_when_the_counters_go_away_meanwhile(time: Time) -> None:
    class Leaving(InProcessCounters):
        async def leave(self, name: str, holder: str) -> None:
            raise StoreUnavailable("away")

        async def give_back(self, name: str, cost: float, limit: float, period: float) -> None:
            raise StoreUnavailable("away")

    limit = limiter(Leaving(time), time, rate=Rate(5), concurrency=Concurrency(1))
    async with limit.hold(2) as permit:
        permit.settle(1)


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_a_number_above_zero(wrong: Any) -> None:
    for make in (Rate, Concurrency, lambda n: Rate(1, n), lambda n: Concurrency(1, n)):
        with pytest.raises(InputInvalid):
            make(wrong)
