"""However starts, claims and looks fall together: nobody is admitted beyond the limits, and room is found again."""

import asyncio
import time

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

import callboard as cb
from callboard.domain.errors import Overloaded
from callboard.engine.admission import Admission
from callboard.runtime import Runtime, build
from callboard.settings import EngineSettings, Settings
from callboard.store.runs import NewRun, Started

stable = settings(derandomize=True, database=None, deadline=None, max_examples=60)

Burst = tuple[str, int, int]  # tenant, how many callers at once, how many keys they share (0: none)
bursts = st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 12), st.integers(0, 3))
moves = st.one_of(
    st.tuples(st.just("start"), st.lists(bursts, min_size=1, max_size=3)),
    st.tuples(st.just("claim"), st.integers(1, 10)),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 0.6, 2.0, 10.0])),
)


class House:
    """A store in memory, the doors that start runs in it, and a clock for their looks."""

    def __init__(self, rt: Runtime, doors: int) -> None:
        self.rt = rt
        self.now = 0.0
        self.doors = [Admission(rt.services, lambda: self.now) for _ in range(doors)]

    def new(self, tenant: str, key: str | None) -> NewRun:
        services = self.rt.services
        now = services.clock.now()
        return NewRun(
            id=services.ids.new(), tenant=tenant, flow="f", version="1", input=b"1", digest=b"8 bytes!", at=now, key=key
        )

    async def start(self, burst: list[Burst]) -> int:
        """All of them at once, at all doors in turn; how many runs were made."""
        callers = [
            self.doors[n % len(self.doors)].start(self.new(tenant, f"k{n % keys}" if keys else None))
            for tenant, count, keys in burst
            for n in range(count)
        ]
        done = await asyncio.gather(*callers, return_exceptions=True)
        assert all(isinstance(each, Started | Overloaded) for each in done), done
        assert all(1.0 <= each.retry_after <= 300.0 for each in done if isinstance(each, Overloaded))
        return sum(isinstance(each, Started) and each.created for each in done)

    async def claim(self, count: int) -> None:
        claims = self.rt.store.claims
        await claims.register("w", time.time())
        await claims.claim("w", ["f@1"], count, time.time() + 1_000.0)


async def play(story: list[tuple[str, object]], limit: int, of_tenant: int, doors: int) -> None:
    bounds = msgspec.structs.replace(EngineSettings(), max_ready=limit, max_ready_tenant=of_tenant)
    rt = build(cb.App("admission"), Settings(store="sqlite://", engine=bounds), worker=False)
    await rt.open()
    try:
        house = House(rt, doors)
        for kind, value in story:
            match kind, value:
                case "start", list(burst):
                    before = (await rt.store.claims.backlog()).ready
                    made = await house.start(burst)
                    found = await rt.store.claims.backlog()
                    assert found.ready == before + made
                    # Each door may fill up what it saw empty; what the others start it sees at its next look.
                    assert found.ready <= doors * limit
                    assert all(count <= doors * of_tenant for count in found.tenants.values())
                case "claim", int(count):
                    await house.claim(count)
                case "wait", float(seconds):
                    house.now += seconds
        await house.claim(1_000)
        house.now += 1.0
        assert await house.start([("a", 1, 0)]) == 1  # an empty queue admits
    finally:
        await rt.close()


@stable
@given(st.lists(moves, max_size=12), st.integers(1, 20), st.integers(1, 20))
def test_one_process_never_goes_over_a_limit(story: list[tuple[str, object]], limit: int, of_tenant: int) -> None:
    asyncio.run(play(story, limit, of_tenant, doors=1))


@stable
@given(st.lists(moves, max_size=12), st.integers(1, 20))
def test_several_processes_go_over_by_no_more_than_what_each_may_admit(
    story: list[tuple[str, object]], limit: int
) -> None:
    asyncio.run(play(story, limit, 1_000, doors=3))
