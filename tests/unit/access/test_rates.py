"""Rates hold over all processes, and say how much is left and when to come back."""

import pytest

from callboard.access.rates import Rates, TooMany
from callboard.domain.errors import InputInvalid
from callboard.domain.principal import Grant, Kind, Principal, Role
from callboard.resilience.in_process import InProcessCounters
from callboard.settings import GatewaySettings


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def key(name: str) -> Principal:
    return Principal(kind=Kind.KEY, id=name, name=name, grants=(Grant(Role.AUTHOR),), tenant="t")


async def admitted(rates: Rates, who: Principal, tenant: str = "t", starts: int = 0) -> int:
    """How many come through before one is refused."""
    for count in range(10_000):
        try:
            await rates.take(who, tenant, starts)
        except TooMany:
            return count
    return 10_000


async def test_one_key_uses_up_its_own_rate_and_it_fills_again() -> None:
    time = Time()
    rates = Rates(InProcessCounters(time), GatewaySettings(limit=100, tenant_limit=0, start_limit=0), time)
    assert (await rates.take(key("a"), "t")).headers() == {
        "RateLimit-Limit": "200",
        "RateLimit-Remaining": "199",
        "RateLimit-Reset": "1",
        "RateLimit-Policy": "200;w=2",
    }
    assert await admitted(rates, key("a")) == 199
    with pytest.raises(TooMany) as told:
        await rates.take(key("a"), "t")
    headers = told.value.headers()
    assert (headers["RateLimit-Remaining"], headers["Retry-After"]) == ("0", "1")
    assert 0 < told.value.retry_after < 0.1
    assert (await rates.take(key("b"), "t")).remaining == 199
    time.now += 1.0
    assert await admitted(rates, key("a")) == 100


async def test_processes_share_a_rate_but_for_what_one_has_in_hand() -> None:
    time = Time()
    counters, settings = InProcessCounters(time), GatewaySettings(limit=100, tenant_limit=0, start_limit=0)
    one, other = Rates(counters, settings, time), Rates(counters, settings, time)
    await one.take(key("a"), "t")
    through = 1 + await admitted(other, key("a")) + await admitted(one, key("a"))
    assert through == 200


async def test_a_tenant_and_its_starts_have_rates_of_their_own() -> None:
    time = Time()
    rates = Rates(InProcessCounters(time), GatewaySettings(limit=0, tenant_limit=50, start_limit=5), time)
    assert await admitted(rates, key("a"), starts=1) == 10
    assert (await rates.take(key("b"), "t")).limit == 100
    with pytest.raises(TooMany, match="starts of tenant t"):
        await rates.take(key("b"), "t", starts=3, requests=0)
    assert (await rates.take(key("b"), "other", starts=3)).remaining == 7
    none = Rates(InProcessCounters(time), GatewaySettings(limit=0, tenant_limit=0, start_limit=0), time)
    assert (await none.take(key("a"), "t", starts=1_000)).headers() == {}


async def test_a_batch_that_is_larger_than_the_rate_is_refused_and_uses_nothing_up() -> None:
    time = Time()
    rates = Rates(InProcessCounters(time), GatewaySettings(limit=0, tenant_limit=0, start_limit=5), time)
    with pytest.raises(TooMany):
        await rates.take(key("a"), "t", starts=11)
    assert (await rates.take(key("a"), "t", starts=10)).remaining == 0


async def test_a_rate_below_one_a_second_works() -> None:
    time = Time()
    rates = Rates(InProcessCounters(time), GatewaySettings(limit=0.1, tenant_limit=0, start_limit=0), time)
    assert await admitted(rates, key("a")) == 1
    time.now += 10.01
    assert await admitted(rates, key("a")) == 1


async def test_nobody_uses_up_what_is_another_tenants_or_starts_that_they_may_not_make() -> None:
    time = Time()
    rates = Rates(InProcessCounters(time), GatewaySettings(limit=0, tenant_limit=50, start_limit=5), time)
    stranger = Principal(kind=Kind.KEY, id="s", name="s", grants=(Grant(Role.AUTHOR, "own"),), tenant="own")
    viewer = Principal(kind=Kind.KEY, id="v", name="v", grants=(Grant(Role.VIEWER),), tenant="t")
    assert await admitted(rates, stranger, "t", starts=1) == 100
    for _ in range(20):
        await rates.take(viewer, "t", starts=1, requests=0)
    assert (await rates.take(key("a"), "t", starts=10)).remaining == 0
    assert (await rates.take(key("a"), "t")).remaining == 98


async def test_a_route_has_a_rate_of_its_own_for_each_tenant() -> None:
    time = Time()
    settings = GatewaySettings(limit=0, tenant_limit=0, start_limit=0, route_limits=("/v1/runs/batch=2",))
    rates = Rates(InProcessCounters(time), settings, time)
    for tenant in ("t", "u"):
        who = Principal(kind=Kind.KEY, id=tenant, name=tenant, grants=(Grant(Role.AUTHOR),), tenant=tenant)
        for _ in range(4):
            await rates.take(who, tenant, route="/v1/runs/batch")
        with pytest.raises(TooMany, match=f"requests of {tenant} to /v1/runs/batch"):
            await rates.take(who, tenant, route="/v1/runs/batch")
        await rates.take(who, tenant, route="/v1/runs")


@pytest.mark.parametrize("text", ["/v1/runs", "v1/runs=2", "/v1/runs=0", "/v1/runs=many", "/v1/runs=nan"])
def test_a_route_limit_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InputInvalid, match="route_limits"):
        GatewaySettings(route_limits=(text,))


async def test_a_refusal_is_remembered_until_there_may_be_something_again() -> None:
    time = Time()
    counters = Counting(time)
    rates = Rates(counters, GatewaySettings(limit=100, tenant_limit=0, start_limit=0), time)
    assert await admitted(rates, key("a")) == 200
    asked = counters.asked
    assert [await admitted(rates, key("a")) for _ in range(50)] == [0] * 50
    assert counters.asked == asked
    time.now += 0.011
    assert await admitted(rates, key("a")) == 1


class Counting(InProcessCounters):
    """Counts how often it is asked."""

    asked = 0

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        self.asked += 1
        return await super().take(name, cost, limit, period)
