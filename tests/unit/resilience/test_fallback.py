"""While the shared counters are away each process keeps to its part, says so once, and comes back."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from callboard.connections.redis import connect
from callboard.domain.errors import StoreError, StoreUnavailable
from callboard.resilience.fallback import Fallback
from callboard.resilience.in_process import InProcessCounters
from callboard.resilience.redis import RedisCounters
from tests.servers.redis import RedisServer

HOUR = 3_600.0


class Now:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Shared(InProcessCounters):
    """Counters that can be away, be silent, or be wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.how: str = "here"
        self.asked = 0

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        return (await self.take_all(name, [cost], limit, period))[0]

    async def take_all(self, name: str, costs: object, limit: float, period: float) -> list[float]:
        self.asked += 1
        if self.how == "away":
            raise StoreUnavailable("the shared place is away", why="it burnt down")
        if self.how == "wrong":
            raise StoreError("a statement is wrong")
        if self.how == "silent":
            await asyncio.Event().wait()
        return await super().take_all(name, costs, limit, period)  # type: ignore[arg-type]


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def fallback(shared: Shared, now: Now) -> Fallback:
    return Fallback(shared, InProcessCounters(), processes=lambda: 4, clock=now, time_limit=0.05)


async def granted(counters: Fallback, times: int, limit: float = 100, cost: float = 1) -> int:
    return sum([await counters.take("a", cost, limit, HOUR) == 0.0 for _ in range(times)])


async def test_the_shared_ones_are_asked_while_they_are_there(fallback: Fallback, shared: Shared) -> None:
    assert await granted(fallback, 200) == 100
    assert shared.asked == 200
    assert fallback.away is None


@pytest.mark.parametrize("how", ["away", "silent"])
async def test_this_process_keeps_to_its_part_while_they_are_away(
    fallback: Fallback, shared: Shared, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    shared.how = how
    assert await granted(fallback, 200) == 25
    assert shared.asked == 1
    assert fallback.away is not None
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "1/4" in said[0].getMessage()
    assert ("burnt" if how == "away" else "0.05 seconds") in fallback.away.why


async def test_one_ask_in_a_while_tries_again(fallback: Fallback, shared: Shared, now: Now) -> None:
    shared.how = "away"
    await granted(fallback, 10)
    now.now += 5
    await granted(fallback, 10)
    assert shared.asked == 2
    shared.how = "here"
    now.now += 5
    assert await granted(fallback, 200) == 100
    assert fallback.away is None


async def test_what_is_wrong_is_not_taken_for_away(fallback: Fallback, shared: Shared) -> None:
    shared.how = "wrong"
    with pytest.raises(StoreError, match="wrong"):
        await fallback.take("a", 1, 100, HOUR)
    assert fallback.away is None


async def test_a_cost_above_the_part_still_passes_but_no_faster(fallback: Fallback, shared: Shared) -> None:
    shared.how = "away"
    assert await fallback.take("a", 80, 100, HOUR) == 0.0
    # A quarter of the limit in an hour: 80 take 3.2 hours.
    assert await fallback.take("a", 80, 100, HOUR) == pytest.approx(3.2 * HOUR, rel=0.01)


async def test_the_real_thing_dies_and_comes_back(private_redis: Callable[[], RedisServer]) -> None:
    server = private_redis()
    client = connect(server.url, timeout=1.0)
    shared = RedisCounters(client, server.url)
    fallback = Fallback(shared, InProcessCounters(), processes=lambda: 2, again=0.0)
    try:
        assert await fallback.enter("a", "anna", 2, 60)
        assert await granted(fallback, 3) == 3
        await asyncio.to_thread(server.kill)
        assert await granted(fallback, 100) == 50
        assert fallback.away is not None
        assert server.url not in fallback.away.why
        assert await fallback.enter("a", "anna", 2, 60)  # renews, now here
        assert not await fallback.enter("a", "ben", 2, 60)
        await fallback.leave("a", "anna")
        assert await fallback.swap("b", 0, b"1")
        await asyncio.to_thread(server.start)
        assert await granted(fallback, 101) == 100  # it forgot all
        assert await fallback.read("b") == (0, b"", 0.0)
    finally:
        await client.aclose()
