"""Runs that are to begin later, and runs that only some workers may execute."""

from typing import Any

import callboard as cb
from callboard.domain.run import RunStatus
from callboard.runtime import build
from callboard.testing import runtime
from tests.unit.engine.play import story


async def test_a_run_begins_when_its_delay_is_over_and_not_before() -> None:
    app = cb.App("later")

    @app.flow
    async def when(ctx: cb.Context, _: Any) -> float:
        return await ctx.now()

    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(when, delay=3600)
        await test.wind(3599)
        assert await handle.status() is RunStatus.WAITING
        assert (await handle.run()).start_at == begun + 3600
        await test.wind(2)
        assert begun + 3600 <= await handle.result(timeout=30) <= begun + 3601


async def test_a_time_in_the_past_is_now() -> None:
    app = cb.App("later")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return "done"

    async with runtime(app) as test:
        handle = await test.start(flow, start_at=test.clock.now() - 10)
        assert await handle.result(timeout=30) == "done"


async def test_a_signal_does_not_start_it_early_and_is_there_when_it_starts() -> None:
    app = cb.App("later")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return [await ctx.wait("word"), await ctx.now()]

    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(flow, delay=100)
        await handle.signal("word", "early")
        await test.settle()
        assert await handle.status() is RunStatus.WAITING
        await test.wind(200)
        word, at = await handle.result(timeout=30)
        assert word == "early"
        assert at >= begun + 100


async def test_it_can_be_cancelled_before_it_begins() -> None:
    app, called = cb.App("later"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        called.append(1)

    async with runtime(app) as test:
        handle = await test.start(flow, delay=100)
        await handle.cancel("no longer needed")
        await test.settle()
        assert await handle.status() is RunStatus.CANCELLED
        await test.wind(200)
        assert not called
        assert await story(test, handle) == ["started", "run cancelled"]


async def test_only_a_worker_with_the_label_executes_what_needs_it() -> None:
    app = cb.App("labels")

    @app.flow(needs="gpu")
    async def heavy(ctx: cb.Context, _: Any) -> str:
        return "done"

    @app.flow
    async def light(ctx: cb.Context, _: Any) -> str:
        return "done"

    async with runtime(app) as test:
        handle = await test.start(heavy)
        assert await test.run(light) == "done"
        assert await handle.status() is RunStatus.READY
        able = build(app, cb.Settings(store="sqlite://", labels=("gpu",)), clock=test.clock, store=test.rt.store)
        await able.reopen()
        try:
            assert await able.handle(handle.id).result(timeout=30) == "done"
        finally:
            assert able.worker is not None
            await able.worker.stop()
            await able.results.close()


async def test_a_run_that_was_woken_too_early_waits_again() -> None:
    app = cb.App("later")

    @app.flow
    async def when(ctx: cb.Context, _: Any) -> float:
        return await ctx.now()

    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(when, delay=100)
        assert await test.rt.store.claims.wake_due(begun + 1_000, 10) == 1  # by a worker whose clock is ahead
        await test.settle()
        assert await story(test, handle) == ["started"]
        await test.wind(200)
        assert begun + 100 <= await handle.result(timeout=30) <= begun + 101
