"""The wall clock is set back an hour: nothing that could go on stands still, and nobody is taken for dead."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import callboard as cb
from callboard.testing import WindingClock, runtime

ROOT = Path(__file__).resolve().parents[3]
HOUR = 3_600.0


async def test_a_run_that_was_ready_before_is_executed_after() -> None:
    app = cb.App("clock")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> float:
        return await ctx.now()

    async with runtime(app) as test:
        await test.kill()
        handle = await test.start(flow)
        test.clock.set(test.clock.now() - HOUR)
        await test.restart()
        assert await test.rt.handle(handle.id).result(timeout=30) == test.clock.now()


async def test_signals_children_and_steps_go_on() -> None:
    app = cb.App("clock")

    @app.flow
    async def child(ctx: cb.Context, n: int) -> int:
        return n

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return [await ctx.wait("word"), await ctx.spawn(child, 1), await ctx.step(lambda: 2, name="two")]

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        test.clock.set(test.clock.now() - HOUR)
        await handle.signal("word", 0)
        assert await handle.result(timeout=30) == [0, 1, 2]


async def test_a_sleep_ends_at_the_time_it_was_meant_to_and_never_before() -> None:
    app, clock = cb.App("clock"), WindingClock()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        await ctx.sleep(60)
        return "awake"

    async with runtime(app, clock=clock) as test:
        begun = clock.now()
        handle = await test.start(flow)
        await test.settle()
        clock.set(begun - HOUR)
        await test.wind(HOUR + 59)
        assert await handle.status() is cb.RunStatus.WAITING
        await test.wind(1)
        assert await handle.result(timeout=30) == "awake"


async def test_ids_go_on_in_order() -> None:
    app = cb.App("clock")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None: ...

    async with runtime(app) as test:
        before = await test.start(flow)
        test.clock.set(test.clock.now() - HOUR)
        after = await test.start(flow)
        assert after.id > before.id
        assert [run.id for run in await test.rt.store.runs.find("default")] == [after.id, before.id]


PROGRAM = """
import asyncio, sys, time
import callboard as cb
from callboard.settings import EngineSettings

app, real = cb.App("clock"), time.time

@app.flow
async def flow(ctx, _):
    await ctx.sleep(0.3)
    return await ctx.wait("word")

async def main():
    engine = EngineSettings(sweep=0.05, beat=0.05, lease=60, window=0.1, drain=0.5)
    settings = cb.Settings(store=f"sqlite:///{sys.argv[1]}", engine=engine)
    async with cb.open(app, settings=settings) as first:
        handle = await first.start(flow)
        await asyncio.sleep(0.1)
        time.time, changed = lambda: real() - 3_600, time.monotonic()
        while (await first.store.claims.workers())[0].beat_age >= time.monotonic() - changed:
            await asyncio.sleep(0.01)  # it goes on to beat
        async with cb.open(app, settings=settings) as second:  # begun by the new time
            other = await second.start(flow)
            for each, runtime in ((handle, second), (other, first)):
                while (await each.status()) != "waiting" or (await each.run()).wake_at is not None:
                    await asyncio.sleep(0.01)
                await runtime.handle(each.id).signal("word", "well")
                print(await each.result(timeout=30), (await each.run()).deaths)

asyncio.run(asyncio.wait_for(main(), 60))
"""


async def test_running_workers_do_not_notice_and_new_ones_get_on_with_them(tmp_path: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", PROGRAM, str(tmp_path / "store.db")],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.stdout.splitlines() == ["well 0", "well 0"], done.stderr
