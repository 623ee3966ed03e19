"""Sleeping runs wait in the store, for days if need be, and hold nothing in memory."""

import gc
import weakref
from typing import Any

import pytest

import callboard as cb
from callboard.testing import runtime
from tests.unit.engine.play import die_and_return, events


async def test_three_days_pass_when_the_clock_is_wound() -> None:
    app = cb.App("sleep")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> float:
        begun = await ctx.now()
        for _day in range(3):
            await ctx.sleep(86_400)
        return await ctx.now() - begun

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(days=3)
        assert await handle.result(timeout=30) == 3 * 86_400


async def test_a_run_wakes_at_its_time_and_not_before() -> None:
    app = cb.App("sleep")

    @app.flow
    async def flow(ctx: cb.Context, until: float) -> str:
        await ctx.sleep_until(until)
        return "awake"

    async with runtime(app) as test:
        handle = await test.start(flow, test.clock.now() + 1000)
        await test.wind(999)
        assert (await handle.run()).wake_at == test.clock.now() + 1
        assert await handle.status() is cb.RunStatus.WAITING
        await test.wind(1)
        assert await handle.result(timeout=30) == "awake"


async def test_a_time_that_has_passed_is_not_waited_for() -> None:
    app = cb.App("sleep")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        await ctx.sleep(0)
        await ctx.sleep_until(await ctx.now() - 100)
        return "awake"

    async with runtime(app) as test:
        assert await test.run(flow) == "awake"


async def test_a_parked_run_holds_no_memory_in_its_worker() -> None:
    class Big:
        pass

    app, held = cb.App("sleep"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        big = Big()
        held.append(weakref.ref(big))
        await ctx.sleep(1000)
        del big

    async with runtime(app) as test:
        await test.start(flow)
        await test.settle()
        gc.collect()
        assert test.rt.worker is not None and test.rt.worker.active == 0
        assert [ref() for ref in held] == [None]


async def test_a_sleep_keeps_its_end_when_its_worker_dies() -> None:
    app = cb.App("sleep")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> float:
        await ctx.sleep(100)
        return await ctx.now()

    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(flow)
        await test.wind(60)
        handle = await die_and_return(test, handle)
        await test.wind(60)
        assert await handle.result(timeout=30) == begun + 100


async def test_a_thousand_sleeping_runs_wake_in_the_order_of_their_times() -> None:
    app, order = cb.App("sleep"), []

    @app.flow
    async def flow(ctx: cb.Context, seconds: int) -> None:
        await ctx.sleep(seconds)
        order.append(seconds)

    async with runtime(app) as test:
        for seconds in range(1_000, 0, -1):
            await test.start(flow, seconds)
        await test.settle()
        for _ in range(4):
            await test.wind(0)
            test.clock.set(test.clock.now() + 250)
            await test.settle()
    quarters = [sorted(order[i : i + 250]) for i in range(0, 1_000, 250)]
    assert quarters == [list(range(i + 1, i + 251)) for i in range(0, 1_000, 250)]


@pytest.mark.parametrize("when", [float("nan"), float("inf")])
async def test_a_time_that_is_no_number_is_refused_in_the_flow(when: float) -> None:
    app = cb.App("sleep")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.sleep_until(when)
        except cb.CallboardError as error:
            return error.code
        return "?"

    async with runtime(app) as test:
        handle = await test.start(flow)
        assert await handle.result(timeout=30) in ("input_invalid", "unencodable")


async def test_time_chance_and_ids_are_the_same_on_replay() -> None:
    app, seen = cb.App("sleep"), list[list[Any]]()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        seen.append([await ctx.now(), await ctx.random(), await ctx.uuid(), await ctx.uuid()])
        await ctx.sleep(100)

    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(flow)
        await test.wind(101)
        await handle.result(timeout=30)
        assert [e.path for e in await events(test, handle)][1:5] == ["0:now", "1:random", "2:uuid", "3:uuid"]
    now, chance, first, second = seen[0]
    assert seen == [seen[0], seen[0]]
    assert now == begun
    assert 0 <= chance < 1
    assert first != second
