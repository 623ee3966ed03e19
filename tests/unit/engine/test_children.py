"""Child runs: awaited, attached or detached; what happens to one when the other ends."""

import asyncio
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

import callboard as cb
from callboard.domain.errors import ChildFailed
from callboard.domain.kinds import ErrorKind
from callboard.settings import EngineSettings
from callboard.testing import TestRuntime, runtime
from tests.unit.engine.play import Gate, die_and_return, failure, kinds

QUICK = EngineSettings(sweep=0.05, beat=0.5, lease=5.0, window=1.0, drain=2.0)


class Answer(BaseModel):
    value: int


async def children(test: TestRuntime, handle: cb.RunHandle) -> list[cb.RunHandle]:
    """Handles on the children of a run, oldest first."""
    runs = await test.rt.store.runs.find("default", parent=handle.id)
    return [test.rt.handle(run.id) for run in reversed(runs)]


def waiting_child(app: cb.App) -> Any:
    @app.flow
    async def child(ctx: cb.Context, _: Any) -> Any:
        return await ctx.wait("word")

    return child


async def test_an_awaited_child_gives_its_typed_output_live_and_replayed() -> None:
    app, seen = cb.App("children"), []

    @app.flow
    async def child(ctx: cb.Context, value: int) -> Answer:
        return Answer(value=value)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> None:
        seen.append(await ctx.spawn(child, 7))
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(parent)
        await test.wind(11)
        await handle.result(timeout=30)
        assert len(await children(test, handle)) == 1
    assert seen == [Answer(value=7)] * 2


async def test_a_child_knows_its_place_below_its_parent() -> None:
    app = cb.App("children")

    @app.flow
    async def child(ctx: cb.Context, depth: int) -> int:
        return ctx.depth

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> int:
        return await ctx.spawn(child, 1, labels={"made": "by parent"})

    async with runtime(app) as test:
        handle = await test.start(parent, priority=3)
        assert await handle.result(timeout=30) == 1
        run = await (await children(test, handle))[0].run()
        assert (run.parent, run.priority, run.labels) == (handle.id, 3, {"made": "by parent"})


async def test_a_failing_child_is_a_failure_of_its_parent_with_all_that_is_known() -> None:
    app, caught = cb.App("children"), []

    async def broken() -> None:
        raise ValueError("no stock")

    @app.flow
    async def child(ctx: cb.Context, _: Any) -> None:
        await ctx.step(broken)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> None:
        try:
            await ctx.spawn(child, None)
        except ChildFailed as failed:
            caught.append((failed.kind, failed.path, failed.detail["status"], failed.detail["error"]["code"]))
        await ctx.sleep(1)

    async with runtime(app) as test:
        handle = await test.start(parent)
        await test.wind(2)
        await handle.result(timeout=30)
    assert caught == [(ErrorKind.BUG, "0:spawn child", "failed", "step_failed")] * 2


async def test_a_cancelled_child_is_told_to_its_parent_as_cancelled() -> None:
    app = cb.App("children")
    child = waiting_child(app)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.spawn(child, None)
        except ChildFailed as failed:
            return str(failed.kind)
        return "?"

    async with runtime(app) as test:
        handle = await test.start(parent)
        await test.settle()
        await (await children(test, handle))[0].cancel("not needed")
        assert await handle.result(timeout=30) == "cancelled"


async def test_a_cancelled_parent_takes_its_awaited_child_along() -> None:
    app = cb.App("children")
    child = waiting_child(app)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> Any:
        return await ctx.spawn(child, None)

    async with runtime(app) as test:
        handle = await test.start(parent)
        await test.settle()
        await handle.cancel("enough")
        await test.settle()
        assert await handle.status() is cb.RunStatus.CANCELLED
        assert await (await children(test, handle))[0].status() is cb.RunStatus.CANCELLED


@pytest.mark.parametrize("pause", [0, 10], ids=["at once", "after a park"])
@pytest.mark.parametrize(("mode", "left"), [("attached", "cancelled"), ("detached", "waiting")])
async def test_an_attached_child_ends_with_its_parent_and_a_detached_one_lives_on(
    mode: Any, left: str, pause: float
) -> None:
    app = cb.App("children")
    child = waiting_child(app)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> str:
        spawned = await ctx.spawn(child, None, mode=mode)
        if pause:
            await ctx.sleep(pause)
        return str(spawned.id)

    async with runtime(app) as test:
        handle = await test.start(parent)
        await test.wind(pause + 1)
        child_handle = test.rt.handle(await handle.result(timeout=30))
        await test.settle()
        assert await child_handle.status() == left


async def test_an_attached_child_is_cancelled_when_its_parent_fails_on_another_worker() -> None:
    app, gate = cb.App("children"), Gate()
    child = waiting_child(app)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> None:
        await ctx.spawn(child, None, mode="attached")
        await ctx.step(gate.enter)
        raise ValueError("a bug")

    async with runtime(app) as test:
        handle = await test.start(parent)
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        await failure(handle)
        await test.settle()
        assert await (await children(test, handle))[0].status() is cb.RunStatus.CANCELLED


async def test_the_result_of_an_attached_child_can_be_had_later() -> None:
    app = cb.App("children")

    @app.flow
    async def child(ctx: cb.Context, seconds: int) -> Answer:
        await ctx.sleep(seconds)
        return Answer(value=seconds)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> Any:
        slow, fast = [await ctx.spawn(child, s, mode="attached") for s in (50, 5)]
        await ctx.sleep(20)
        return [(await fast.result()).value, (await slow.result()).value]

    async with runtime(app) as test:
        handle = await test.start(parent)
        await test.wind(60)
        assert await handle.result(timeout=30) == [5, 50]


async def test_the_result_of_a_child_can_be_asked_for_twice() -> None:
    app = cb.App("children")

    @app.flow
    async def child(ctx: cb.Context, _: Any) -> int:
        return 7

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> Any:
        spawned = await ctx.spawn(child, None, mode="attached")
        return [await spawned.result(), await spawned.result()]

    async with runtime(app) as test:
        assert await (await test.start(parent)).result(timeout=30) == [7, 7]


async def test_the_result_of_a_detached_child_is_refused_instead_of_waited_for_without_end() -> None:
    app = cb.App("children")

    @app.flow
    async def child(ctx: cb.Context, _: Any) -> int:
        return 7

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> Any:
        spawned = await ctx.spawn(child, None, mode="detached")
        return await spawned.result()

    async with runtime(app) as test:
        assert "detached" in str(await failure(await test.start(parent)))


@pytest.mark.parametrize("parents", [150])
async def test_a_child_that_ends_while_its_parent_parks_is_never_missed(parents: int) -> None:
    app = cb.App("children")

    @app.flow
    async def child(ctx: cb.Context, n: int) -> int:
        return n

    @app.flow
    async def parent(ctx: cb.Context, n: int) -> list[int]:
        return await ctx.gather(*[ctx.spawn(child, n + i) for i in range(3)])

    async with runtime(app) as test:
        handles = [await test.start(parent, n) for n in range(parents)]
        results = await asyncio.gather(*[handle.result(timeout=30) for handle in handles])
    assert results == [[n, n + 1, n + 2] for n in range(parents)]


async def test_a_child_is_started_once_though_its_parent_dies() -> None:
    app, gate = cb.App("children"), Gate(5)

    @app.flow
    async def child(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(gate.enter)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> Any:
        return await ctx.spawn(child, None)

    async with runtime(app) as test:
        handle = await test.start(parent)
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == 5
        assert len(await children(test, handle)) == 1
        assert await kinds(test, handle, "0:spawn child") == [2, 3]


async def test_children_nest_to_a_limit_and_no_deeper() -> None:
    app = cb.App("children")

    @app.flow
    async def nested(ctx: cb.Context, _: Any) -> int:
        try:
            return int(await ctx.spawn(nested, None))
        except cb.LimitReached as limit:
            return ctx.depth if limit.reason == "depth" else -1

    async with runtime(app, settings=msgspec.structs.replace(QUICK, depth=4)) as test:
        assert await (await test.start(nested)).result(timeout=30) == 4


async def test_what_is_no_flow_and_what_is_no_mode_is_refused() -> None:
    app = cb.App("children")
    child = waiting_child(app)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> list[str]:
        said = []
        for flow, mode in ((print, "await"), (child, "loose")):
            try:
                await ctx.spawn(flow, None, mode=mode)  # type: ignore[call-overload]
            except cb.CallboardError as error:
                said.append(str(error))
        return said

    async with runtime(app) as test:
        first, second = await test.run(parent)
    assert "neither a flow nor an agent" in first
    assert "mode='loose' is unknown" in second
