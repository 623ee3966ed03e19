"""Flows that do what cannot be replayed: refused with an error that teaches, alike live and replayed."""

import asyncio
import contextlib
import threading
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import Abandoned, FlowMisuse
from callboard.testing import runtime

pytestmark = pytest.mark.filterwarnings("ignore")  # of futures and coroutines that bad flows leave behind


async def one() -> int:
    return 1


async def forever() -> None:
    await asyncio.sleep(3_600)


async def misuse(body: Any) -> tuple[str, cb.RunStatus]:
    """What a flow is told that misuses the engine and does not handle it."""
    app = cb.App("bad")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await body(ctx)

    async with runtime(app) as test:
        handle = await test.start(flow)
        with pytest.raises(cb.RunFailed) as caught:
            await handle.result(timeout=30)
        return str(caught.value.error), await handle.status()


async def sleeps(ctx: cb.Context) -> None:
    await asyncio.sleep(0.01)


async def yields(ctx: cb.Context) -> None:
    await asyncio.sleep(0)


async def awaits_a_future(ctx: cb.Context) -> None:
    await asyncio.get_running_loop().create_future()


async def gathers(ctx: cb.Context) -> None:
    await asyncio.gather(ctx.step(one), ctx.step(one))


async def wraps_in_a_task(ctx: cb.Context) -> None:
    async def work() -> int:
        return await ctx.step(one)

    await asyncio.create_task(work())


async def locks(ctx: cb.Context) -> None:
    lock = asyncio.Lock()
    await lock.acquire()
    await lock.acquire()


async def waits_for(ctx: cb.Context) -> None:
    await asyncio.wait_for(asyncio.shield(ctx.step(one)), 5)


FOREIGN = [
    (sleeps, "awaited Future"),
    (yields, "awaited control (asyncio.sleep(0))"),
    (awaits_a_future, "awaited Future"),
    (gathers, "awaited _GatheringFuture"),
    (wraps_in_a_task, "awaited Task"),
    (locks, "awaited Future"),
    (waits_for, "awaited Future"),
]


@pytest.mark.parametrize(("body", "said"), FOREIGN, ids=lambda x: getattr(x, "__name__", ""))
async def test_awaiting_anything_but_an_effect_is_an_error_that_teaches(body: Any, said: str) -> None:
    text, status = await misuse(body)
    assert said in text
    assert "which is not an effect" in text
    assert "wrap it in ctx.step; to wait use ctx.sleep, for parallel work ctx.gather" in text
    assert status is cb.RunStatus.FAILED


async def test_a_task_made_of_an_effect_itself_fails_the_run() -> None:
    text, _ = await misuse(lambda ctx: asyncio.create_task(ctx.step(one)))
    assert "coroutine" in text


async def test_the_flow_may_catch_the_misuse_and_go_on_alike_live_and_replayed() -> None:
    app, caught = cb.App("bad"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await asyncio.sleep(0.01)
        except FlowMisuse as error:
            caught.append(str(error))
        await ctx.sleep(10)
        return "went on"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(11)
        assert await handle.result(timeout=30) == "went on"
    assert len(caught) == 2 and caught[0] == caught[1]


async def test_an_effect_requested_by_a_foreign_task_is_refused_there() -> None:
    app, told = cb.App("bad"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        async def foreign() -> None:
            try:
                await ctx.step(one, name="stolen")
            except FlowMisuse as error:
                told.append(str(error))

        task = asyncio.get_running_loop().create_task(foreign())
        while not task.done():
            await ctx.step(one)
        return 1

    async with runtime(app) as test:
        handle = await test.start(flow)
        with contextlib.suppress(cb.RunFailed):
            await handle.result(timeout=30)
        paths = [e.path async for e in handle.events()]
    assert told and "the effect stolen was requested outside the flow of run" in told[0]
    assert "for parallel work use ctx.gather" in told[0]
    assert not any("stolen" in path for path in paths)


async def test_an_effect_requested_in_a_thread_is_refused_there() -> None:
    app, told = cb.App("bad"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        def thread() -> None:
            async def steal() -> None:
                await ctx.step(one)

            try:
                asyncio.run(steal())
            except FlowMisuse as error:
                told.append(f"{threading.current_thread() is threading.main_thread()} {error}")

        await ctx.step(thread)
        return "done"

    async with runtime(app) as test:
        assert await test.run(flow) == "done"
    assert told and told[0].startswith("False the effect one was requested outside the flow")


@pytest.mark.parametrize("what", ["step", "gather", "now", "progress", "label", "patched", "scope", "race"])
async def test_an_effect_requested_from_inside_a_step_fails_the_step_and_says_why(what: str) -> None:
    app = cb.App("bad")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        async def nested() -> None:
            match what:
                case "step":
                    await ctx.step(one)
                case "gather":
                    await ctx.gather(ctx.step(one))
                case "race":
                    await ctx.race(ctx.step(one))
                case "now":
                    await ctx.now()
                case "progress":
                    ctx.progress(1)
                case "label":
                    await ctx.label(a="1")
                case "patched":
                    await ctx.patched("x")
                case "scope":
                    with ctx.scope("x"):
                        pass
                case _:
                    raise AssertionError(what)

        await ctx.step(nested)

    async with runtime(app) as test:
        with pytest.raises(cb.RunFailed, match="requested outside the flow") as caught:
            await (await test.start(flow)).result(timeout=30)
    assert isinstance(caught.value.error, cb.StepFailed)
    assert caught.value.error.detail["type"] == "FlowMisuse"


async def test_a_plain_time_out_around_an_effect_is_abandoned_with_a_lesson_live_and_replayed() -> None:
    app, seen = cb.App("bad"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            async with asyncio.timeout(0.02):
                await ctx.step(forever)
        except Abandoned as error:
            seen.append(str(error))
        await ctx.sleep(10)
        return "went on"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await asyncio.sleep(0.1)
        await test.wind(11)
        assert await handle.result(timeout=30) == "went on"
        kinds = [e.kind.label async for e in handle.events() if e.path == "0:forever"]
    assert kinds == ["abandoned"]
    assert len(seen) == 2 and seen[0] == seen[1]
    assert "the effect 0:forever was cancelled from outside" in seen[0]
    assert "use ctx.timeout or ctx.race" in seen[0]


async def test_a_plain_time_out_around_branches_ends_each_of_them_alike_live_and_replayed() -> None:
    app, seen = cb.App("bad"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            async with asyncio.timeout(0.02):
                await ctx.gather(ctx.step(forever), ctx.step(forever))
        except BaseException as error:
            seen.append(type(error))
            if not isinstance(error, Abandoned):
                raise
        await ctx.sleep(10)
        return "went on"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await asyncio.sleep(0.1)
        await test.wind(11)
        assert await handle.result(timeout=30) == "went on"
    assert seen == [Abandoned, Abandoned]


async def test_a_plain_time_out_around_a_long_wait_does_not_count_because_the_run_is_not_in_memory() -> None:
    app = cb.App("bad")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        async with asyncio.timeout(0.02):
            await ctx.sleep(1_000)
        return "slept"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await asyncio.sleep(0.05)
        assert await handle.status() is cb.RunStatus.WAITING
        await test.wind(1_001)
        assert await handle.result(timeout=30) == "slept"


async def test_a_flow_that_never_awaits_succeeds() -> None:
    app = cb.App("bad")

    @app.flow
    async def flow(ctx: cb.Context, value: int) -> int:
        return value + 1

    async with runtime(app) as test:
        handle = await test.start(flow, 1)
        assert await handle.result(timeout=30) == 2
        assert [e.kind.label async for e in handle.events()] == ["started", "run succeeded"]


async def test_an_effect_that_is_never_awaited_does_not_happen() -> None:
    app, calls = cb.App("bad"), list[int]()

    async def note(n: int) -> None:
        calls.append(n)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        ctx.step(note, 1)
        ctx.sleep(1_000)
        return "done"

    async with runtime(app) as test:
        assert await test.run(flow) == "done"
    assert calls == []


async def test_one_effect_awaited_twice_happens_twice_in_two_places() -> None:
    app, calls = cb.App("bad"), list[int]()

    async def note(n: int) -> None:
        calls.append(n)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        step = ctx.step(note, 1)
        await step
        await step

    async with runtime(app) as test:
        handle = await test.start(flow)
        await handle.result(timeout=30)
        assert [e.path async for e in handle.events()][1:3] == ["0:note", "1:note"]
    assert calls == [1, 1]


async def test_a_step_that_hangs_ends_at_its_time_limit_or_when_the_run_is_cancelled() -> None:
    app = cb.App("bad")

    @app.flow
    async def limited(ctx: cb.Context, _: Any) -> None:
        await ctx.step(forever, timeout=0.05)

    @app.flow
    async def cancelled(ctx: cb.Context, _: Any) -> None:
        await ctx.step(forever)

    async with runtime(app) as test:
        with pytest.raises(cb.RunFailed, match=r"forever reached its time limit of 0.05 s") as caught:
            await (await test.start(limited)).result(timeout=30)
        assert isinstance(caught.value.error, cb.TimedOut)
        handle = await test.start(cancelled)
        await asyncio.sleep(0.05)
        await handle.cancel("it hangs")
        with pytest.raises(cb.RunCancelled, match="it hangs"):
            await handle.result(timeout=30)
