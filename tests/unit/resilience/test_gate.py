"""The gate before an upstream: breaker first, then limits, and what it says of itself."""

import asyncio
from typing import Any

import msgspec
import pytest

from callboard.domain.errors import BreakerOpen, InputInvalid, ModelFailed, RateLimited, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.resilience.breaker import BreakerRules, Phase
from callboard.resilience.faults import FaultKind, FaultRule, Faults
from callboard.resilience.gate import KEEP, Gate, Pass, Upstreams
from callboard.resilience.in_process import InProcessCounters
from callboard.resilience.limiter import Rate
from callboard.resilience.upstream import Upstream


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Counted(InProcessCounters):
    """Counts how often a value is read, as a round trip each."""

    reads = 0

    async def read(self, name: str) -> tuple[int, bytes, float]:
        self.reads += 1
        return await super().read(name)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def counters(time: Time) -> Counted:
    return Counted(time)


def gate(counters: Any, time: Time, **policy: Any) -> Gate:
    return Gate(Upstream(name="shop", **policy), counters, clock=time, sleep=time.sleep, monotonic=time)


async def fail(gate: Gate, error: BaseException) -> None:
    with pytest.raises(type(error)):
        async with gate.enter():
            raise error


def down(kind: ErrorKind = ErrorKind.UPSTREAM_DOWN, **detail: Any) -> ToolFailed:
    return ToolFailed("no answer", kind=kind, detail=detail)


async def test_five_failures_in_a_minute_open_it_for_every_process(counters: Counted, time: Time) -> None:
    here, there = gate(counters, time), gate(counters, time)
    for n in range(5):
        await fail((here, there)[n % 2], down())
    time.now += KEEP
    for each in (here, there):
        with pytest.raises(BreakerOpen) as refused:
            async with each.enter():
                pytest.fail("the upstream was called")
        assert refused.value.retry_after == 30 - KEEP


async def test_failures_that_are_spread_over_more_than_a_minute_do_not(counters: Counted, time: Time) -> None:
    shop = gate(counters, time)
    for _ in range(12):
        await fail(shop, down())
        time.now += 20
    assert (await shop.look()).phase is Phase.CLOSED


@pytest.mark.parametrize(
    "error", [down(ErrorKind.RATE_LIMITED, retry_after=9.0), ModelFailed("no", kind=ErrorKind.INVALID_REQUEST),
              ValueError("a defect of the caller's"), asyncio.CancelledError()]
)  # fmt: skip
async def test_what_is_not_the_upstream_s_failure_does_not_open_it(
    counters: Counted, time: Time, error: BaseException
) -> None:
    shop = gate(counters, time)
    for _ in range(20):
        await fail(shop, error)
    look = await shop.look()
    assert (look.phase, look.failures, look.calls) == (Phase.CLOSED, 0, 20)


async def test_after_a_while_one_call_finds_out_and_closes_it(counters: Counted, time: Time) -> None:
    here, there = gate(counters, time), gate(counters, time)
    for _ in range(5):
        await fail(here, down())
    time.now += 30
    async with here.enter():
        with pytest.raises(BreakerOpen):
            async with there.enter():
                pytest.fail("two probes at once")
    time.now += KEEP
    async with there.enter():
        assert (await there.look()).phase is Phase.CLOSED


async def test_a_probe_that_is_answered_with_a_no_closes_it_too(counters: Counted, time: Time) -> None:
    shop = gate(counters, time)
    for _ in range(5):
        await fail(shop, down())
    time.now += 30
    await fail(shop, down(ErrorKind.RATE_LIMITED))
    assert (await shop.look()).phase is Phase.CLOSED


async def test_many_calls_read_the_shared_state_once_in_a_while(counters: Counted, time: Time) -> None:
    shop = gate(counters, time)
    for _ in range(100):
        async with shop.enter():
            time.now += KEEP / 50
    assert counters.reads == 2


async def test_somebody_else_s_opening_is_heard_of_soon(counters: Counted, time: Time) -> None:
    here, there = gate(counters, time), gate(counters, time)
    async with here.enter():
        pass
    for _ in range(5):
        await fail(there, down())
    async with here.enter():  # it was read a moment ago
        pass
    time.now += KEEP
    with pytest.raises(BreakerOpen):
        async with here.enter():
            pytest.fail("the upstream was called")


async def test_an_upstream_without_a_breaker_is_never_left_alone(counters: Counted, time: Time) -> None:
    shop = gate(counters, time, breaker=None)
    for _ in range(20):
        await fail(shop, down())
    assert (await shop.look()).phase is None
    assert counters.reads == 0


async def test_a_breaker_that_was_opened_can_be_closed_by_hand(counters: Counted, time: Time) -> None:
    shop = gate(counters, time)
    for _ in range(5):
        await fail(shop, down())
    await shop.reset()
    async with shop.enter():
        assert (await shop.look()).recent == 0


async def test_requests_wait_their_turn_or_are_refused_with_the_time(counters: Counted, time: Time) -> None:
    shop = gate(counters, time, requests=Rate(2, 60), patience=31.0)
    begun = time.now
    for _ in range(3):
        async with shop.enter():
            pass
    assert time.now == begun + 30
    with pytest.raises(RateLimited) as refused:
        async with shop.enter(patience=0):
            pytest.fail("it was to wait")
    assert refused.value.retry_after == pytest.approx(30)
    assert shop.seen().wait == pytest.approx(30)
    time.now += 10
    assert shop.seen().wait == pytest.approx(20)


async def test_tokens_are_announced_before_and_settled_after(counters: Counted, time: Time) -> None:
    shop = gate(counters, time, tokens=Rate(1_000, 60), patience=0)
    async with shop.enter(900) as passed:
        passed.settle(100)
    async with shop.enter(900) as passed:
        passed.settle(900)
    with pytest.raises(RateLimited):
        async with shop.enter(1):
            pytest.fail("they are used up")
    with pytest.raises(InputInvalid):
        async with shop.enter(1_001):
            pytest.fail("so many can never be granted")


@pytest.mark.parametrize(("made", "left"), [(False, 1_000), (True, 100)])
async def test_a_call_that_never_left_gives_its_tokens_back(
    counters: Counted, time: Time, made: bool, left: float
) -> None:
    shop = gate(counters, time, tokens=Rate(1_000, 60), patience=0)
    with pytest.raises(ModelFailed):
        async with shop.enter(900):
            raise ModelFailed("refused", kind=ErrorKind.UPSTREAM_DOWN, detail={} if made else {"made": False})
    async with shop.enter(left):
        pass
    with pytest.raises(RateLimited):
        async with shop.enter(1):
            pytest.fail("there is no more")


async def test_there_are_so_many_places_and_no_more(counters: Counted, time: Time) -> None:
    here, there = (gate(counters, time, concurrency=1, patience=0) for _ in range(2))
    async with here.enter():
        assert (await here.look()).inside == 1
        with pytest.raises(RateLimited):
            async with there.enter():
                pytest.fail("the place is taken")
    async with there.enter():
        assert ((await here.look()).inside, (await there.look()).refused) == (0, 1)


async def test_a_call_that_one_limit_refuses_takes_nothing_of_another(counters: Counted, time: Time) -> None:
    shop = gate(counters, time, requests=Rate(2, 60), concurrency=1, patience=0)
    async with shop.enter():
        with pytest.raises(RateLimited):
            async with shop.enter():
                pytest.fail("the place is taken")
    async with shop.enter():
        pass


async def test_one_patience_is_for_all_limits_together(counters: Counted, time: Time) -> None:
    shop = gate(counters, time, requests=Rate(1, 4), tokens=Rate(1, 8), patience=5.0)
    async with shop.enter(1):
        pass
    begun = time.now
    with pytest.raises(RateLimited):
        async with shop.enter(1):
            pytest.fail("its turn was to come after eight seconds")
    assert time.now - begun <= 5


async def test_an_open_breaker_refuses_before_any_limit_is_asked(counters: Counted, time: Time) -> None:
    shop = gate(counters, time, requests=Rate(5, 60), patience=0)
    for _ in range(5):
        await fail(shop, down())
    with pytest.raises(BreakerOpen):
        async with shop.enter():
            pytest.fail("the upstream was called")


async def test_retries_and_hedges_share_one_budget_and_are_told_apart(counters: Counted, time: Time) -> None:
    shop = gate(counters, time)
    granted = [shop.may_retry() for _ in range(6)] + [shop.may_hedge() for _ in range(6)]
    assert granted == [True] * 10 + [False] * 2
    look = await shop.look()
    assert (look.retries, look.hedges) == (6, 4)


async def test_what_it_says_of_itself(counters: Counted, time: Time) -> None:
    shop = gate(counters, time, breaker=BreakerRules(failures=2, open_for=10.0))
    async with shop.enter() as passed:
        passed.first(1.0)
    async with shop.enter() as passed:
        passed.first(2.0)
    for _ in range(2):
        await fail(shop, down())
    time.now += 4
    look = msgspec.to_builtins(await shop.look())
    assert look == {
        "name": "shop", "declared": True, "phase": "open", "why": "no answer", "since": 4.0, "half_open_in": 6.0,
        "recent": 2, "inside": 0, "calls": 4, "failures": 2, "refused": 0, "retries": 0, "hedges": 0,
        "first": pytest.approx(1.2), "last": "no answer",
    }  # fmt: skip
    assert shop.seen().phase is Phase.OPEN
    assert shop.seen().latency == pytest.approx(1.2)
    time.now += 6
    assert shop.seen().phase is Phase.HALF_OPEN


async def test_a_fault_that_was_ordered_comes_with_the_pass(counters: Counted, time: Time) -> None:
    faults = Faults([FaultRule(upstream="shop", kind=FaultKind.RATE_LIMITED, nth=2)])
    shop = Gate(Upstream(name="shop"), counters, faults, clock=time)
    struck = []
    for _ in range(3):
        async with shop.enter(target="order") as passed:
            assert isinstance(passed, Pass)
            struck.append(passed.fault and passed.fault.kind)
    assert struck == [None, FaultKind.RATE_LIMITED, None]


async def test_each_name_has_one_gate_and_it_is_known_which_are_declared(counters: Counted, time: Time) -> None:
    upstreams = Upstreams({"shop": Upstream(name="shop", concurrency=3)}, counters, clock=time)
    assert upstreams.gate("mail") is upstreams.gate("mail")
    assert [(each.upstream.name, each.declared) for each in upstreams.all()] == [("mail", False), ("shop", True)]
    assert upstreams.gate("shop").upstream.concurrency == 3
    assert (upstreams.declared("shop"), upstreams.declared("mail")) == (True, False)
    assert (upstreams.gate("shop").limited, upstreams.gate("mail").limited) == (True, False)
