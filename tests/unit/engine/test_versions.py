"""Old journals replay under new code, or the run is blocked with both sides shown; it is never misread."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.testing import WindingClock, runtime
from tests.unit.engine.play import failure, requeue, story

Body = Callable[[cb.Context], Awaitable[Any]]


async def a(*args: Any) -> str:
    return "a"


async def b(*args: Any) -> str:
    return "b"


async def c(*args: Any) -> str:
    return "c"


def deployed(body: Body, version: str = "1") -> cb.App:
    """An app whose one flow has this body."""
    app = cb.App("versions")

    @app.flow(name="flow", version=version)
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await body(ctx)

    return app


async def original(ctx: cb.Context) -> Any:
    first = await ctx.step(a, 1)
    second = await ctx.step(b, 2)
    await ctx.sleep(100)
    return [first, second, await ctx.step(c, 3)]


async def removed(ctx: cb.Context) -> Any:
    first = await ctx.step(a, 1)
    await ctx.sleep(100)
    return [first]


async def added(ctx: cb.Context) -> Any:
    await ctx.step(c, 0)
    return await original(ctx)


async def renamed(ctx: cb.Context) -> Any:
    await ctx.step(a, 1, name="fetch")
    return await original(ctx)


async def other_arguments(ctx: cb.Context) -> Any:
    await ctx.step(a, 100)
    return await original(ctx)


async def side_by_side(ctx: cb.Context) -> Any:
    return await ctx.gather(ctx.step(a, 1), ctx.step(b, 2))


async def in_a_scope(ctx: cb.Context) -> Any:
    with ctx.scope("part"):
        return await original(ctx)


async def under_a_limit(ctx: cb.Context) -> Any:
    return await ctx.timeout(1_000, original(ctx))


async def ends_early(ctx: cb.Context) -> Any:
    return [await ctx.step(a, 1)]


async def breaks_early(ctx: cb.Context) -> Any:
    await ctx.step(a, 1)
    raise AttributeError("'NoneType' object has no attribute 'price'")


async def branches(ctx: cb.Context) -> Any:
    both = await ctx.gather(ctx.step(a, 1), ctx.step(b, 2))
    await ctx.sleep(100)
    return both


async def one_after_the_other(ctx: cb.Context) -> Any:
    both = [await ctx.step(a, 1), await ctx.step(b, 2)]
    await ctx.sleep(100)
    return both


CHANGES = [
    pytest.param(original, removed, "the effect 1:b", "the effect 1:sleep", id="a step removed"),
    pytest.param(original, added, "the effect 0:a", "the effect 0:c", id="a step added"),
    pytest.param(original, renamed, "the effect 0:a", "the effect 0:fetch", id="a step renamed"),
    pytest.param(original, other_arguments, "the effect 0:a with arguments", "the effect 0:a with", id="arguments"),
    pytest.param(original, side_by_side, "the effect 0:a", "a scope (gather)", id="steps gathered"),
    pytest.param(original, in_a_scope, "the effect 0:a", "a scope (part)", id="steps in a scope"),
    pytest.param(original, under_a_limit, "the effect 0:a", "the effect 0:timeout", id="steps under a limit"),
    pytest.param(original, ends_early, "the effect 1:b", "the end of the flow", id="an early end"),
    pytest.param(original, breaks_early, "the effect 1:b", "AttributeError: 'NoneType'", id="an early bug"),
    pytest.param(branches, one_after_the_other, "effects inside a scope (0.0/0)", "the effect", id="no gather"),
]


@pytest.mark.parametrize(("before", "after", "recorded", "requested"), CHANGES)
async def test_a_change_that_the_journal_contradicts_blocks_the_run_until_the_code_is_mended(
    before: Body, after: Body, recorded: str, requested: str, tmp_path: Path
) -> None:
    clock, path = WindingClock(), tmp_path / "store.db"
    async with runtime(deployed(before), path, clock=clock) as test:
        run_id = (await test.start("flow")).id
        await test.settle()
    async with runtime(deployed(after), path, clock=clock) as test:
        await test.wind(101)
        handle = test.rt.handle(run_id)
        run = await handle.run()
        assert run.status is cb.RunStatus.BLOCKED
        assert run.error is not None and run.error.detail is not None
        assert (run.error.code, run.error.kind) == ("version_mismatch", "version")
        assert run.error.detail["recorded"].startswith(recorded)
        assert run.error.detail["requested"].startswith(requested)
        assert recorded in run.error.message and requested in run.error.message and "requeue" in run.error.message
        with pytest.raises(TimeoutError):
            await handle.result(timeout=0.05)  # blocked is not the end
    async with runtime(deployed(before), path, clock=clock) as test:
        handle = test.rt.handle(run_id)
        await requeue(test, handle)
        result = await handle.result(timeout=30)
        assert result == (["a", "b", "c"] if before is original else ["a", "b"])
        kinds = [line.split()[0] for line in await story(test, handle)]
        assert kinds.count("requeued") == 1


@pytest.mark.parametrize("pending", ["wait", "sleep", "ask", "spawn", "once"])
async def test_a_flow_that_ends_without_what_it_was_waiting_for_is_blocked(pending: str, tmp_path: Path) -> None:
    def app(ends: bool) -> cb.App:
        app = cb.App("versions")

        @app.flow
        async def child(ctx: cb.Context, _: Any) -> None:
            await ctx.wait("never")

        @app.tool(timeout=0.05)
        async def charge() -> None:
            raise TimeoutError

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> str:
            await ctx.step(a)
            if not ends:
                match pending:
                    case "wait":
                        await ctx.wait("word")
                    case "sleep":
                        await ctx.sleep(10_000)
                    case "ask":
                        await ctx.ask({})
                    case "spawn":
                        await ctx.spawn(child, None)
                    case _:
                        await charge.call(ctx)
            return "done"

        return app

    clock = WindingClock()
    async with runtime(app(False), tmp_path / "store.db", clock=clock) as test:
        run_id = (await test.start("flow")).id
        await test.settle()
    async with runtime(app(True), tmp_path / "store.db", clock=clock) as test:
        handle = test.rt.handle(run_id)
        await handle.signal("wake up")
        await test.settle()
        run = await handle.run()
    assert run.status is cb.RunStatus.BLOCKED
    assert run.error is not None and run.error.path is not None and run.error.path.startswith("1:")


async def test_what_comes_after_the_recorded_part_may_change_freely(tmp_path: Path) -> None:
    async def longer(ctx: cb.Context) -> Any:
        first, second = await ctx.step(a, 1), await ctx.step(b, 2)
        await ctx.sleep(100)
        return [first, second, await ctx.gather(ctx.step(c, 4), ctx.step(c, 5))]

    clock = WindingClock()
    async with runtime(deployed(original), tmp_path / "store.db", clock=clock) as test:
        run_id = (await test.start("flow")).id
        await test.settle()
    async with runtime(deployed(longer), tmp_path / "store.db", clock=clock) as test:
        await test.wind(101)
        assert await test.rt.handle(run_id).result(timeout=30) == ["a", "b", ["c", "c"]]


async def test_a_worker_without_the_version_leaves_the_run_ready_for_one_that_has_it(tmp_path: Path) -> None:
    clock, path = WindingClock(), tmp_path / "store.db"
    async with runtime(deployed(original, "1"), path, clock=clock) as test:
        run_id = (await test.start("flow")).id
        await test.settle()
    async with runtime(deployed(original, "2"), path, clock=clock) as test:
        handle, newer = test.rt.handle(run_id), await test.start("flow")
        while await newer.status() is not cb.RunStatus.WAITING:
            await asyncio.sleep(0.005)
        clock.set(clock.now() + 101)
        assert await newer.result(timeout=30) == ["a", "b", "c"]
        assert await handle.status() is cb.RunStatus.READY
    async with runtime(deployed(original, "1"), path, clock=clock) as test:
        assert await test.rt.handle(run_id).result(timeout=30) == ["a", "b", "c"]


async def test_one_worker_executes_several_versions_side_by_side() -> None:
    app = cb.App("versions")

    @app.flow(name="flow", version="1")
    async def first(ctx: cb.Context, _: Any) -> str:
        return "first"

    @app.flow(name="flow", version="2")
    async def second(ctx: cb.Context, _: Any) -> str:
        return "second"

    async with runtime(app) as test:
        assert await test.run(first) == "first"
        assert await test.run(second) == "second"
        assert await test.run("flow") == "second"  # by name: the one declared last


async def test_an_agent_s_changed_prompt_blocks_the_runs_that_began_with_the_old_one(tmp_path: Path) -> None:
    def app(prompt: str) -> cb.App:
        app = cb.App("versions")
        agent = app.agent("agent", model=cb.ScriptedModel(["one", "two"]), prompt=prompt)

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> Any:
            said = await agent.run(ctx, "hello")
            await ctx.sleep(100)
            return said

        return app

    clock = WindingClock()
    async with runtime(app("Be kind."), tmp_path / "store.db", clock=clock) as test:
        run_id = (await test.start("flow")).id
        await test.settle()
    async with runtime(app("Be brief."), tmp_path / "store.db", clock=clock) as test:
        await test.wind(101)
        assert await test.rt.handle(run_id).status() is cb.RunStatus.BLOCKED


async def test_a_bug_behind_the_recorded_part_fails_the_run_and_blocks_nothing(tmp_path: Path) -> None:
    async def breaks(ctx: cb.Context) -> Any:
        await ctx.step(a, 1)
        raise ValueError("a bug")

    async with runtime(deployed(breaks)) as test:
        handle = await test.start("flow")
        error = await failure(handle)
        assert "ValueError: a bug" in str(error)
        assert await handle.status() is cb.RunStatus.FAILED
