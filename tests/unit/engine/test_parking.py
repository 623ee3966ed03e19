"""A run that waits is unwound: its clean-up code runs, may request nothing, and leaves no trace."""

import asyncio
import contextlib
from typing import Any

import pytest

import callboard as cb
from callboard.testing import runtime
from tests.unit.engine.play import Counter, die_and_return, story

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Door:
    """An async context manager that says when it is entered and left."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    async def __aenter__(self) -> None:
        self._said.append("in")

    async def __aexit__(self, *error: object) -> None:
        self._said.append("out")


async def test_finally_and_aexit_run_each_time_the_run_parks() -> None:
    app, said = cb.App("parking"), list[str]()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        async with Door(said):
            try:
                await ctx.sleep(10)
            finally:
                said.append("finally")

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        assert said == ["in", "finally", "out"]
        await test.wind(11)
        await handle.result(timeout=30)
    assert said == ["in", "finally", "out"] * 2


@pytest.mark.parametrize("effect", ["step", "sleep", "gather", "now", "patched", "scope", "progress", "spawn", "ask"])
async def test_an_effect_requested_while_the_run_unwinds_is_refused_and_not_journaled(effect: str) -> None:
    app, counter, refused = cb.App("parking"), Counter(), []

    async def request(ctx: cb.Context) -> None:
        match effect:
            case "scope":
                with ctx.scope("inside"):
                    pass
            case "progress":
                ctx.progress(1)
            case "step":
                await ctx.step(counter.count)
            case "sleep":
                await ctx.sleep(1)
            case "gather":
                await ctx.gather(ctx.step(counter.count))
            case "now":
                await ctx.now()
            case "patched":
                await ctx.patched("x")
            case "spawn":
                await ctx.spawn(flow, None)
            case _:
                await ctx.ask({})

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        done = False
        try:
            await ctx.sleep(10)
            done = True
        finally:
            if not done:
                try:
                    await request(ctx)
                except BaseException as error:
                    refused.append(type(error).__name__)
                    raise
        return "done"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        assert await story(test, handle) == ["started", "intent 0:sleep"]
        await test.wind(11)
        assert await handle.result(timeout=30) == "done"
        assert await story(test, handle) == ["started", "intent 0:sleep", "done 0:sleep", "run succeeded"]
    assert refused == ["Parked"]
    assert counter.calls == 0


async def test_a_flow_that_swallows_every_exception_around_a_wait_is_unaffected() -> None:
    app, swallowed = cb.App("parking"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        for _turn in range(3):
            try:
                await ctx.sleep(10)
            except Exception as error:
                swallowed.append(error)
        with contextlib.suppress(Exception):
            await ctx.wait("word", timeout=5)
        return "done"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(40)
        assert await handle.result(timeout=30) == "done"
    assert swallowed == []


async def test_a_flow_that_swallows_even_base_exceptions_and_returns_is_not_believed() -> None:
    app = cb.App("parking")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.sleep(10)
        except BaseException:
            return "swallowed"
        return "done"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        assert await handle.status() is cb.RunStatus.WAITING
        await test.wind(11)
        assert await handle.result(timeout=30) == "done"


async def test_a_flow_that_swallows_base_exceptions_for_ever_is_ended_and_its_worker_goes_on() -> None:
    app = cb.App("parking")

    @app.flow
    async def stubborn(ctx: cb.Context, _: Any) -> str:
        while True:
            try:
                await ctx.sleep(10)
                return "done"
            except BaseException:  # noqa: S110 - what is being tried
                pass

    @app.flow
    async def innocent(ctx: cb.Context, _: Any) -> str:
        await ctx.sleep(10)
        return "fine"

    async with runtime(app) as test:
        handles = [await test.start(stubborn), await test.start(innocent)]
        await test.wind(11)
        assert [await handle.result(timeout=30) for handle in handles] == ["done", "fine"]


async def test_a_flow_that_awaits_something_foreign_while_it_unwinds_is_ended_by_force() -> None:
    app = cb.App("parking")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.sleep(10)
        except BaseException:
            await asyncio.sleep(1_000)
            raise
        return "done"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle(timeout=30)
        assert await handle.status() is cb.RunStatus.WAITING
        await test.wind(11)
        assert await handle.result(timeout=30) == "done"


async def test_branches_that_swallow_the_unwinding_leave_no_trace_either() -> None:
    app = cb.App("parking")

    async def branch(ctx: cb.Context) -> str:
        try:
            await ctx.sleep(10)
        except BaseException:
            return "swallowed"
        return "done"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        both = await ctx.gather(branch(ctx), branch(ctx))
        return [*both, await ctx.timeout(100, branch(ctx)), await ctx.race(branch(ctx))]

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(50)
        assert await handle.result(timeout=30) == ["done", "done", "done", [0, "done"]]


async def test_a_waiting_run_outlives_worker_after_worker() -> None:
    app, counter = cb.App("parking"), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return [await ctx.step(counter.count), await ctx.wait("word"), await ctx.step(counter.count)]

    async with runtime(app) as test:
        handle = await test.start(flow)
        for _ in range(5):
            await test.settle()
            handle = await die_and_return(test, handle)
        await test.settle()
        assert (await handle.run()).deaths == 0
        await handle.signal("word", "at last")
        assert await handle.result(timeout=30) == [1, "at last", 2]
