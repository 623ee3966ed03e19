"""ctx.patched lets runs from before a change and runs from after it replay under one code."""

from pathlib import Path
from typing import Any

import callboard as cb
from callboard.testing import WindingClock, runtime
from tests.unit.engine.play import story


async def old_way() -> str:
    return "old"


async def new_way() -> str:
    return "new"


def before_change() -> cb.App:
    app = cb.App("patched")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        ways = [await ctx.step(old_way)]
        await ctx.sleep(100)
        return [*ways, await ctx.step(old_way)]

    return app


def after_change() -> cb.App:
    app = cb.App("patched")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        async def way() -> Any:
            return await ctx.step(new_way if await ctx.patched("new way") else old_way)

        ways = [await way()]
        await ctx.sleep(100)
        return [*ways, await way()]

    return app


async def test_runs_from_before_go_the_old_way_and_runs_from_after_the_new_way(tmp_path: Path) -> None:
    clock = WindingClock()
    async with runtime(before_change(), tmp_path / "store.db", clock=clock) as test:
        old = await test.start("flow")
        await test.settle()
    async with runtime(after_change(), tmp_path / "store.db", clock=clock) as test:
        new = await test.start("flow")
        await test.wind(101)
        assert await test.rt.handle(old.id).result(timeout=30) == ["old", "old"]
        assert await new.result(timeout=30) == ["new", "new"]
        assert [line for line in await story(test, new) if "patched" in line] == ["patched :new way"]


async def test_the_answer_stays_the_same_for_the_life_of_a_run() -> None:
    app, asked = cb.App("patched"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        for _turn in range(3):
            asked.append(await ctx.patched("change"))
            await ctx.sleep(10)
            asked.append(await ctx.patched("change"))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(31)
        await handle.result(timeout=30)
        assert (await story(test, handle)).count("patched :change") == 1
    assert set(asked) == {True}


async def test_a_loop_that_began_before_the_change_ends_the_old_way(tmp_path: Path) -> None:
    def app(changed: bool) -> cb.App:
        app = cb.App("patched")

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> list[str]:
            ways = []
            for _turn in range(4):
                fresh = changed and await ctx.patched("change")
                ways.append(await ctx.step(new_way if fresh else old_way))
                await ctx.sleep(10)
            return ways

        return app

    clock = WindingClock()
    async with runtime(app(False), tmp_path / "store.db", clock=clock) as test:
        handle = await test.start("flow")
        await test.wind(15)
    async with runtime(app(True), tmp_path / "store.db", clock=clock) as test:
        await test.wind(100)
        assert await test.rt.handle(handle.id).result(timeout=30) == ["old"] * 4


async def test_a_run_that_had_nothing_recorded_behind_the_change_has_it(tmp_path: Path) -> None:
    def app(changed: bool) -> cb.App:
        app = cb.App("patched")

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> Any:
            await ctx.sleep(100)
            return await ctx.step(new_way if changed and await ctx.patched("change") else old_way)

        return app

    clock = WindingClock()
    async with runtime(app(False), tmp_path / "store.db", clock=clock) as test:
        handle = await test.start("flow")
        await test.settle()
    async with runtime(app(True), tmp_path / "store.db", clock=clock) as test:
        await test.wind(101)
        assert await test.rt.handle(handle.id).result(timeout=30) == "new"


async def test_a_run_that_waits_to_repeat_a_step_is_from_before_the_change(tmp_path: Path) -> None:
    async def down() -> None:
        raise ConnectionError

    def app(changed: bool) -> cb.App:
        app = cb.App("patched")

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> Any:
            if changed and await ctx.patched("change"):
                return await ctx.step(new_way)
            return await ctx.step(old_way if changed else down, name="call", retry=cb.Retry(first=100, longest=100))

        return app

    clock = WindingClock()
    async with runtime(app(False), tmp_path / "store.db", clock=clock) as test:
        handle = await test.start("flow")
        await test.settle()
    async with runtime(app(True), tmp_path / "store.db", clock=clock) as test:
        await test.wind(101)
        assert await test.rt.handle(handle.id).result(timeout=30) == "old"


async def test_a_change_within_a_branch_is_told_by_that_branch(tmp_path: Path) -> None:
    def app(changed: bool) -> cb.App:
        app = cb.App("patched")

        async def branch(ctx: cb.Context, seconds: float) -> Any:
            await ctx.sleep(seconds)
            fresh = changed and await ctx.patched(f"change {seconds:g}")
            way = await ctx.step(new_way if fresh else old_way)
            await ctx.sleep(50)
            return way

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> Any:
            return await ctx.gather(branch(ctx, 10), branch(ctx, 100))

        return app

    clock = WindingClock()
    async with runtime(app(False), tmp_path / "store.db", clock=clock) as test:
        handle = await test.start("flow")
        await test.wind(20)
    async with runtime(app(True), tmp_path / "store.db", clock=clock) as test:
        await test.wind(200)
        assert await test.rt.handle(handle.id).result(timeout=30) == ["old", "new"]
