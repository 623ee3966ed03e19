"""What a state means, and what a breaker does when others act between its looks."""

from collections.abc import Awaitable
from typing import TypeVar

import msgspec
import pytest

from callboard.domain.errors import BreakerOpen, RateLimited, StoreUnavailable
from callboard.resilience.breaker import Breaker, BreakerRules, BreakerState, Phase, judged, phase
from callboard.resilience.in_process import InProcessCounters

T = TypeVar("T")
RULES = BreakerRules(failures=2, open_for=30.0)
OPEN = BreakerState(open=True, why="out of order")


@pytest.mark.parametrize(
    ("state", "age", "expected"),
    [
        (BreakerState(), 0.0, Phase.CLOSED),
        (BreakerState(), 1e9, Phase.CLOSED),
        (OPEN, 0.0, Phase.OPEN),
        (OPEN, 29.999, Phase.OPEN),
        (OPEN, 30.0, Phase.HALF_OPEN),
        (OPEN, 1e9, Phase.HALF_OPEN),
    ],
)
def test_a_state_and_its_age_make_a_phase(state: BreakerState, age: float, expected: Phase) -> None:
    assert phase(state, age, RULES) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [(ValueError(), True), (RateLimited("later"), None), (KeyboardInterrupt(), None), (TimeoutError(), True)],
)
def test_what_an_exception_says(error: BaseException, expected: bool | None) -> None:
    assert judged(error) is expected


class Now:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Rivalled(InProcessCounters):
    """Somebody else's probe comes, finds what it finds, and goes just before this one's place is asked for."""

    found: BreakerState | None = None

    async def enter(self, name: str, holder: str, limit: int, lease: float) -> bool:
        if self.found is not None:
            version, _, _ = await self.read("a")
            assert await self.swap("a", version, msgspec.json.encode(self.found))
            self.found = None
        return await super().enter(name, holder, limit, lease)


async def half_open(counters: InProcessCounters, now: Now) -> Breaker:
    breaker = Breaker(counters, "a", RULES)
    for _ in range(2):
        with pytest.raises(ValueError):
            async with breaker.guard():
                raise ValueError("out of order")
    now.now += 31
    return breaker


async def test_a_probe_that_comes_too_late_heeds_what_another_found() -> None:
    now = Now()
    counters = Rivalled(now)
    breaker = await half_open(counters, now)
    counters.found = OPEN
    with pytest.raises(BreakerOpen):
        async with breaker.guard():
            pytest.fail("the upstream was called, though a probe had failed a moment ago")
    now.now += 31
    counters.found = BreakerState()
    async with breaker.guard(), breaker.guard():  # closed again: no probe, and as many at once as come
        pass
    assert await counters.enter("a:probe", "anybody", 1, 60)


async def test_a_call_keeps_its_result_when_the_counters_go_away_meanwhile() -> None:
    class Leaving(InProcessCounters):
        here = True

        async def swap(self, name: str, version: int, value: bytes) -> bool:
            return await self._or_gone(super().swap(name, version, value))

        async def add(self, name: str, n: int, window: float) -> int:
            return await self._or_gone(super().add(name, n, window))

        async def leave(self, name: str, holder: str) -> None:
            await self._or_gone(super().leave(name, holder))

        async def _or_gone(self, answer: Awaitable[T]) -> T:
            result = await answer
            if not self.here:
                raise StoreUnavailable("away")
            return result

    now = Now()
    counters = Leaving(now)
    breaker = await half_open(counters, now)
    counters.here = False
    async with breaker.guard():
        pass
    with pytest.raises(ValueError, match="its own"):
        async with breaker.guard():
            raise ValueError("its own")


async def test_without_failures_nothing_is_written() -> None:
    counters = InProcessCounters()
    breaker = Breaker(counters, "a")
    for _ in range(3):
        async with breaker.guard():
            pass
    assert not any((counters._values, counters._windows, counters._places))
