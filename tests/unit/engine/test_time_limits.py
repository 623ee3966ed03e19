"""ctx.timeout counts across parking and deaths, and what it cuts off may clean up."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.event import EventKind
from callboard.testing import runtime
from tests.unit.engine.play import Counter, Gate, die_and_return, failure, kinds, requeue


async def one() -> int:
    return 1


async def test_what_ends_in_time_gives_its_value() -> None:
    app = cb.App("limits")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return [await ctx.timeout(60, ctx.step(one)), await ctx.timeout(60, ctx.sleep(30))]

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(31)
        assert await handle.result(timeout=30) == [1, None]


async def test_the_limit_wakes_a_parked_run_and_cancels_what_waits() -> None:
    app, told = cb.App("limits"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.timeout(60, ctx.wait("never"))
        except cb.TimedOut as late:
            told.append((str(late), late.path))
        await ctx.sleep(10)
        return "late"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(59)
        assert await handle.status() is cb.RunStatus.WAITING
        await test.wind(20)
        assert await handle.result(timeout=30) == "late"
        assert await kinds(test, handle, "0.0/0:wait never") == [EventKind.INTENT, EventKind.CANCELLED]
    assert told == [("the time limit of 60 s was reached", "0:timeout")] * 2


async def test_the_limit_counts_on_while_nobody_executes_the_run() -> None:
    app, gate = cb.App("limits"), Gate()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.timeout(60, ctx.step(gate.enter))
        except cb.TimedOut:
            return "late"
        return "in time"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await test.kill()
        test.clock.set(test.clock.now() + 61)
        await test.restart()
        assert await test.rt.handle(handle.id).result(timeout=30) == "late"
    assert gate.entered == 1  # there was no time left to begin it again


async def test_a_step_in_flight_is_cut_off() -> None:
    app, gate, cut = cb.App("limits"), Gate(), []

    async def work() -> None:
        try:
            await gate.enter()
        except asyncio.CancelledError:
            cut.append("cut")
            raise

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.timeout(60, ctx.step(work))
        except cb.TimedOut:
            return "late"
        return "in time"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        test.clock.set(test.clock.now() + 61)
        assert await handle.result(timeout=30) == "late"
    assert cut == ["cut"]


@pytest.mark.parametrize("how", ["parks", "dies"])
async def test_clean_up_that_outlives_its_execution_still_ends_as_timed_out(how: str) -> None:
    app, gate, counter = cb.App("limits"), Gate(), Counter()

    async def work(ctx: cb.Context) -> None:
        try:
            await ctx.wait("never")
        except cb.Cancelled:
            await ctx.step(counter.count)
            await (ctx.sleep(10) if how == "parks" else ctx.step(gate.enter))
            raise

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.timeout(60, work(ctx))
        except cb.TimedOut:
            return "late"
        return "in time"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        test.clock.set(test.clock.now() + 61)
        if how == "dies":
            await gate.reached.wait()
            handle = await die_and_return(test, handle)
            gate.opened.set()
        await test.wind(20)
        assert await handle.result(timeout=30) == "late"
    assert counter.calls == 1


async def test_clean_up_side_by_side_is_not_held_to_the_limit_that_is_over() -> None:
    app, counter = cb.App("limits"), Counter()

    async def work(ctx: cb.Context) -> None:
        try:
            await ctx.wait("never")
        except cb.Cancelled:
            await ctx.gather(ctx.step(counter.count), ctx.step(counter.count))
            await ctx.timeout(30, ctx.step(counter.count))
            raise

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.timeout(60, work(ctx))
        except cb.TimedOut:
            return "late"
        return "in time"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(61)
        assert await handle.result(timeout=30) == "late"
    assert counter.calls == 3


async def test_the_inner_limit_can_be_caught_within_the_outer_one() -> None:
    app = cb.App("limits")

    async def work(ctx: cb.Context) -> str:
        try:
            await ctx.timeout(10, ctx.wait("never"))
        except cb.TimedOut:
            return "inner"
        return "?"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return await ctx.timeout(60, work(ctx))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(11)
        assert await handle.result(timeout=30) == "inner"


async def test_the_outer_limit_does_not_look_like_the_inner_one() -> None:
    app, seen = cb.App("limits"), []

    async def work(ctx: cb.Context) -> None:
        try:
            await ctx.timeout(1_000, ctx.wait("never"))
        except cb.TimedOut as late:
            seen.append(str(late))
            raise

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.timeout(10, work(ctx))
        except cb.TimedOut as late:
            return str(late)
        return "in time"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(11)
        assert await handle.result(timeout=30) == "the time limit of 10 s was reached"
    assert seen == []


async def test_a_cancel_of_the_run_is_no_time_out() -> None:
    app, seen = cb.App("limits"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        try:
            await ctx.timeout(60, ctx.wait("never"))
        except BaseException as error:
            seen.append(type(error))
            raise

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel("enough")
        await test.settle()
        assert await handle.status() is cb.RunStatus.CANCELLED
    assert seen[-1] is cb.Cancelled


async def test_a_failure_within_the_limit_is_raised_as_it_is() -> None:
    app = cb.App("limits")

    async def broken() -> None:
        raise ValueError("wrong")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.timeout(60, ctx.step(broken))

    async with runtime(app) as test:
        assert isinstance(await failure(await test.start(flow)), cb.StepFailed)


async def test_a_run_that_failed_by_its_time_limit_gets_a_new_one_when_it_is_requeued() -> None:
    app = cb.App("limits")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.timeout(60, ctx.wait("word"))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(61)
        assert isinstance(await failure(handle), cb.TimedOut)
        await requeue(test, handle)
        await test.wind(59)
        assert await handle.status() is cb.RunStatus.WAITING
        await handle.signal("word", "yes")
        assert await handle.result(timeout=30) == "yes"


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "10", True, 1e11])
async def test_a_limit_that_is_no_number_of_seconds_is_refused(seconds: Any) -> None:
    app = cb.App("limits")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        work = ctx.sleep(1)
        try:
            await ctx.timeout(seconds, work)
        except cb.CallboardError as error:
            return error.code
        return "?"

    async with runtime(app) as test:
        assert await test.run(flow) == "input_invalid"
