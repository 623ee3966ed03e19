"""Two processes see the same breaker."""

import asyncio

import pytest

from callboard.domain.errors import BreakerOpen, RateLimited
from callboard.resilience.breaker import Breaker, Phase
from callboard.resilience.counters import Counters
from tests.conformance.counters.adapters import Adapter

NAME = "upstream:openai"


class Broken(Exception):
    """The upstream did not do what it should."""


async def call(breaker: Breaker, error: BaseException | None = None) -> None:
    async with breaker.guard():
        if error is not None:
            raise error


async def fails(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Broken):
            await call(breaker, Broken("out of order"))


async def phase(breaker: Breaker) -> Phase:
    return (await breaker.look())[0]


@pytest.fixture
def here(counters: Counters) -> Breaker:
    return Breaker(counters, NAME)


@pytest.fixture
def there(other: Counters) -> Breaker:
    return Breaker(other, NAME)


async def test_it_opens_after_so_many_failures(here: Breaker) -> None:
    await call(here)
    await fails(here, 4)
    await call(here)
    assert await phase(here) is Phase.CLOSED
    await fails(here)
    assert await phase(here) is Phase.OPEN
    with pytest.raises(BreakerOpen, match="out of order") as refused:
        await call(here)
    assert 0 < refused.value.retry_after <= 30


async def test_failures_that_lie_far_apart_do_not_open_it(here: Breaker, adapter: Adapter) -> None:
    for _ in range(3):
        await fails(here, 2)
        await adapter.pass_time(31)
    assert await phase(here) is Phase.CLOSED


async def test_one_probe_at_a_time_is_let_through(here: Breaker, adapter: Adapter) -> None:
    await fails(here, 5)
    await adapter.pass_time(31)
    assert await phase(here) is Phase.HALF_OPEN
    async with here.guard():
        with pytest.raises(BreakerOpen):
            await call(here)
    await call(here)
    assert await phase(here) is Phase.CLOSED


async def test_a_probe_that_fails_opens_it_anew(here: Breaker, adapter: Adapter) -> None:
    await fails(here, 5)
    await adapter.pass_time(31)
    await fails(here)
    assert await phase(here) is Phase.OPEN
    await adapter.pass_time(31)
    await call(here)
    assert await phase(here) is Phase.CLOSED


async def test_what_failed_before_it_closed_is_forgotten(here: Breaker, adapter: Adapter) -> None:
    await fails(here, 5)
    await adapter.pass_time(31)
    await call(here)
    await fails(here, 4)
    assert await phase(here) is Phase.CLOSED


@pytest.mark.parametrize("error", [RateLimited("later"), asyncio.CancelledError()])
async def test_a_probe_that_learnt_nothing_leaves_it_as_it_was(
    here: Breaker, adapter: Adapter, error: BaseException
) -> None:
    await fails(here, 5)
    await adapter.pass_time(31)
    with pytest.raises(type(error)):
        await call(here, error)
    assert await phase(here) is Phase.HALF_OPEN
    await call(here)
    assert await phase(here) is Phase.CLOSED


async def test_a_probe_whose_process_died_is_followed_by_another(
    counters: Counters, here: Breaker, adapter: Adapter
) -> None:
    await fails(here, 5)
    await adapter.pass_time(31)
    dead = here.guard()
    await dead.__aenter__()
    with pytest.raises(BreakerOpen):
        await call(here)
    await adapter.pass_time(121)
    await call(here)
    assert await phase(here) is Phase.CLOSED


async def test_a_failure_from_before_opens_nothing_anew(here: Breaker, adapter: Adapter) -> None:
    late = [here.guard() for _ in range(6)]
    for each in late:
        await each.__aenter__()
    await fails(here, 5)
    await adapter.pass_time(31)
    await call(here)
    for each in late:
        assert not await each.__aexit__(Broken, Broken("from before"), None)
    assert await phase(here) is Phase.CLOSED


async def test_a_judge_may_know_better(counters: Counters, adapter: Adapter) -> None:
    breaker = Breaker(counters, NAME, judge=lambda error: not isinstance(error, ValueError))
    for _ in range(10):
        with pytest.raises(ValueError):
            await call(breaker, ValueError("the request was bad"))
    assert await phase(breaker) is Phase.CLOSED
    await fails(breaker, 5)
    await adapter.pass_time(31)
    with pytest.raises(ValueError):
        await call(breaker, ValueError("it answers"))
    assert await phase(breaker) is Phase.CLOSED


async def test_it_can_be_closed_by_hand(here: Breaker) -> None:
    await fails(here, 5)
    await here.reset()
    await fails(here, 4)
    assert await phase(here) is Phase.CLOSED


async def test_two_processes_open_it_together(here: Breaker, there: Breaker) -> None:
    await fails(here, 3)
    await fails(there, 2)
    for breaker in (here, there):
        assert await phase(breaker) is Phase.OPEN
        with pytest.raises(BreakerOpen):
            await call(breaker)


async def test_two_processes_that_race_send_one_probe_and_close_it_together(
    here: Breaker, there: Breaker, adapter: Adapter
) -> None:
    await fails(here, 5)
    await adapter.pass_time(31)
    begun, gate = asyncio.Event(), asyncio.Event()
    probes = 0

    async def attempt(breaker: Breaker) -> None:
        nonlocal probes
        async with breaker.guard():
            probes += 1
            begun.set()
            await gate.wait()

    attempts = [asyncio.create_task(attempt(breaker)) for _ in range(10) for breaker in (here, there)]
    async with asyncio.timeout(60):
        await begun.wait()
        while sum(task.done() for task in attempts) < 19:
            await asyncio.sleep(0.01)
    assert probes == 1
    gate.set()
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, BreakerOpen) for outcome in outcomes) == 19
    assert await phase(here) is await phase(there) is Phase.CLOSED
