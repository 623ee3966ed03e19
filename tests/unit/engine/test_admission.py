"""Too many starts are refused with a time to come back, and in the end all get in."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import callboard as cb
from callboard.domain.errors import KeyConflict, Overloaded, StoreUnavailable
from callboard.engine.admission import Admission
from callboard.engine.condition import Condition
from callboard.runtime import Runtime, build
from callboard.settings import EngineSettings, Settings
from callboard.store.claims import Release
from callboard.store.runs import NewRun, Started


class Stopwatch:
    """A monotonic clock in the test's hands."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def app_of() -> cb.App:
    app = cb.App("admission")

    @app.flow
    async def flow(ctx: cb.Context, n: int) -> int:
        return n

    @app.flow
    async def parent(ctx: cb.Context, n: int) -> list[int]:
        return list(await ctx.gather(*(ctx.spawn(flow, i) for i in range(n))))

    return app


class House:
    """A store without a worker, and an admission whose looks the test times."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.watch = Stopwatch()
        self.admission = Admission(rt.services, self.watch)

    async def start(self, tenant: str = "a", key: str | None = None, digest: bytes = b"8 bytes!") -> Started:
        return await self.admission.start(self.new(tenant, key, digest))

    def new(self, tenant: str = "a", key: str | None = None, digest: bytes = b"8 bytes!") -> NewRun:
        services = self.rt.services
        now = services.clock.now()
        return NewRun(
            id=services.ids.new(), tenant=tenant, flow="flow", version="1", input=b"1", digest=digest, at=now, key=key
        )

    async def start_many(self, count: int, tenant: str = "a") -> tuple[int, list[Overloaded]]:
        """So many at once; how many came in, and how the others were refused."""
        done = await asyncio.gather(*(self.start(tenant) for _ in range(count)), return_exceptions=True)
        refused = [each for each in done if isinstance(each, Overloaded)]
        assert all(isinstance(each, Started | Overloaded) for each in done), done
        return count - len(refused), refused

    async def claim(self, count: int) -> None:
        """Runs leave the queue."""
        claims = self.rt.store.claims
        await claims.register("w", time.time())
        await claims.claim("w", ["flow@1", "parent@1"], count, time.time())

    async def ready(self) -> int:
        return (await self.rt.store.claims.backlog()).ready


@pytest.fixture
async def houses() -> AsyncIterator[Any]:
    opened: list[Runtime] = []

    async def make(**options: Any) -> House:
        rt = build(app_of(), Settings(store="sqlite://", engine=EngineSettings(**options)), worker=False)
        await rt.open()
        opened.append(rt)
        return House(rt)

    yield make
    for rt in opened:
        await rt.close()


async def test_no_more_come_in_than_there_is_room_for_and_in_the_end_all_do(tmp_path: Path) -> None:
    app, bounds = app_of(), EngineSettings(max_ready=100, sweep=0.05)
    settings = Settings(store=f"sqlite:///{tmp_path}/store.db", engine=bounds)
    async with cb.open(app, settings=settings, worker=False) as rt:

        async def insist(n: int) -> int:
            """Comes back as often as it is told to."""
            while True:
                try:
                    return int(await (await rt.start("flow", n)).result(timeout=30))
                except Overloaded as refusal:
                    refusals.append(refusal)
                    assert 1.0 <= refusal.retry_after <= 300.0
                    await asyncio.sleep(refusal.retry_after)

        refusals: list[Overloaded] = []
        waiting = [asyncio.create_task(insist(n)) for n in range(200)]
        while len(refusals) < 100 or rt.services.metrics.started < 100:
            await asyncio.sleep(0.01)
        assert (await rt.store.claims.backlog()).ready == 100
        assert {refusal.limit for refusal in refusals} == {"max_ready"}
        assert "100 runs are ready" in str(refusals[0])
        assert rt.services.metrics.started == 100
        assert rt.services.metrics.refused["max_ready"] >= 100
        async with cb.open(app, settings=settings):
            assert sorted(await asyncio.gather(*waiting)) == list(range(200))
    assert rt.services.metrics.started == 200


async def test_what_is_being_written_while_somebody_looks_counts(houses: Any) -> None:
    house = await houses(max_ready=10)
    came, refused = await house.start_many(50)
    assert (came, len(refused)) == (10, 40)
    await house.claim(4)
    for _ in range(3):
        house.watch.now += 1.0
        await asyncio.gather(house.start_many(20), house.start_many(20))
        assert await house.ready() <= 10
    house.watch.now += 1.0
    assert await house.ready() == 10


async def test_one_tenant_does_not_take_the_room_of_another(houses: Any) -> None:
    house = await houses(max_ready=1_000, max_ready_tenant=5)
    came, refused = await house.start_many(8, "greedy")
    assert (came, {each.limit for each in refused}) == (5, {"max_ready_tenant"})
    assert "5 runs of greedy" in str(refused[0])
    assert refused[0].value == 5
    assert (await house.start_many(5, "modest"))[0] == 5


async def test_a_queue_that_stands_still_refuses_by_its_age(houses: Any) -> None:
    house = await houses(max_ready_age=60.0)
    await house.rt.store.runs.start(msgspec.structs.replace(house.new(), at=time.time() - 100.0))
    with pytest.raises(Overloaded) as caught:
        await house.start()
    assert caught.value.limit == "max_ready_age"
    assert 100.0 <= caught.value.value < 130.0
    assert 40.0 <= caught.value.retry_after < 70.0
    await house.claim(1)
    house.watch.now += 1.0
    assert (await house.start()).created


async def fill(house: House, count: int, age: float) -> None:
    """So many runs that became ready so long ago, started by somebody else."""
    at = time.time() - age
    await asyncio.gather(
        *(house.rt.store.runs.start(msgspec.structs.replace(house.new(), at=at)) for _ in range(count))
    )


async def test_when_to_come_back_follows_how_fast_the_queue_is_emptied(houses: Any) -> None:
    house = await houses(max_ready=100)
    await fill(house, 140, age=10_000.0)
    await house.start_many(1)
    house.watch.now += 10.0
    await house.claim(20)  # two a second
    _, refused = await house.start_many(30)
    assert [each.retry_after for each in refused[:4]] == [10.5, 11.0, 11.5, 12.0]
    assert refused[-1].retry_after == 25.0  # who is refused later is told a later time


async def test_when_to_come_back_is_no_longer_than_the_queue_itself_tells(houses: Any) -> None:
    house = await houses(max_ready=100)
    await fill(house, 120, age=60.0)
    await house.start_many(1)
    house.watch.now += 1_000.0
    await house.claim(1)  # hardly anything left it, or as much came as left
    _, (first, *_) = await house.start_many(3)
    assert 9.0 < first.retry_after < 13.0  # a hundred and twenty have come within a minute, twenty have to leave


async def test_when_to_come_back_to_a_queue_that_stands_still_is_as_long_as_it_stands(houses: Any) -> None:
    house = await houses(max_ready=100)
    await fill(house, 100, age=50.0)
    for _ in range(2):
        _, (first, *_) = await house.start_many(3)
        assert 49.0 < first.retry_after < 70.0
        house.watch.now += 60.0
    await fill(house, 1, age=5_000.0)
    assert (await house.start_many(1))[1][0].retry_after == 300.0


async def test_whoever_found_room_and_filled_it_may_soon_come_back(houses: Any) -> None:
    house = await houses(max_ready=10)
    await fill(house, 5, age=500.0)
    assert {each.retry_after for each in (await house.start_many(20))[1]} == {1.0}


async def test_a_key_that_exists_finds_its_run_also_when_the_queue_is_full(houses: Any) -> None:
    house = await houses(max_ready=3)
    first = await house.start(key="k")
    await house.start_many(10)
    again = await house.start(key="k")
    assert (again.run_id, again.created) == (first.run_id, False)
    with pytest.raises(KeyConflict):
        await house.start(key="k", digest=b"another!")
    with pytest.raises(Overloaded):
        await house.start(key="unknown")


async def test_repeats_of_a_key_take_no_room(houses: Any) -> None:
    house = await houses(max_ready=3)
    for _ in range(10):
        await house.start(key="k")
    assert (await house.start_many(5))[0] == 2


async def test_nobody_is_refused_on_an_old_look(houses: Any) -> None:
    house = await houses(max_ready=3)
    await house.start_many(3)
    await house.claim(3)
    with pytest.raises(Overloaded):
        await house.start()  # the look is young enough to be believed
    house.watch.now += 0.6
    assert (await house.start()).created


async def test_however_many_start_nobody_looks_twice_at_a_time_or_too_often(
    houses: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await houses(max_ready=1_000)
    claims, looks, looking = house.rt.store.claims, 0, 0
    real = claims.backlog

    async def counted() -> Any:
        nonlocal looks, looking
        looks, looking = looks + 1, looking + 1
        assert looking == 1
        try:
            return await real()
        finally:
            looking -= 1

    monkeypatch.setattr(claims, "backlog", counted)
    await asyncio.gather(*(house.start() for _ in range(50)))
    assert looks == 1
    house.watch.now += 0.4
    await asyncio.gather(*(house.start() for _ in range(50)))
    assert looks == 1
    house.watch.now += 0.2
    await asyncio.gather(*(house.start() for _ in range(50)))
    assert looks == 2


async def test_a_queue_that_cannot_be_looked_at_refuses_nobody_and_is_not_asked_again_and_again(
    houses: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await houses(max_ready=1)
    looks = 0

    async def broken() -> Any:
        nonlocal looks
        looks += 1
        raise StoreUnavailable("gone")

    monkeypatch.setattr(house.rt.store.claims, "backlog", broken)
    assert (await house.start_many(20))[0] == 20
    assert (await house.start_many(20))[0] == 20
    assert looks == 1
    with pytest.raises(StoreUnavailable):
        await house.admission.backlog(5.0)
    found = await Condition(house.rt.services, house.admission, None).metrics()
    assert b"callboard_starts_total 40.0" in found
    assert b"callboard_runs{" not in found


async def test_children_and_signals_of_running_runs_are_not_refused(tmp_path: Path) -> None:
    bounds = EngineSettings(max_ready=1, max_ready_tenant=1, concurrency=1, sweep=0.05)
    settings = Settings(store=f"sqlite:///{tmp_path}/store.db", engine=bounds)
    async with cb.open(app_of(), settings=settings) as rt:
        assert await rt.run("parent", 20) == list(range(20))


async def test_a_handed_back_run_counts_as_ready_again(houses: Any) -> None:
    house = await houses(max_ready=1)
    await house.start()
    claims = house.rt.store.claims
    await claims.register("w", time.time())
    (claimed,) = await claims.claim("w", ["flow@1"], 1, time.time())
    await claims.settle(claimed.claim, Release())
    house.watch.now += 1.0
    with pytest.raises(Overloaded):
        await house.start()
