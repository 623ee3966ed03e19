"""What a flow is told about its run, and what it tells those who watch it."""

import asyncio
from typing import Any

import callboard as cb
from callboard.streams.stream import Chunk
from callboard.testing import TestRuntime, runtime


async def one() -> int:
    return 1


async def watched(test: TestRuntime, handle: cb.RunHandle, wind: float) -> list[Chunk]:
    """What a run streams while the clock is wound."""
    chunks: list[Chunk] = []

    async def follow() -> None:
        async for chunk in handle.stream():
            chunks.append(chunk)

    watching = asyncio.create_task(follow())
    await asyncio.sleep(0.02)
    await test.wind(wind)
    await handle.result(timeout=30)
    watching.cancel()
    return chunks


async def test_a_flow_knows_its_run_tenant_key_labels_and_depth() -> None:
    app = cb.App("facts")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return [ctx.run_id, ctx.tenant, ctx.key, ctx.labels, ctx.depth]

    async with runtime(app) as test:
        handle = await test.start(flow, key="k1", tenant="acme", labels={"team": "east"})
        assert await handle.result(timeout=30) == [handle.id, "acme", "k1", {"team": "east"}, 0]


async def test_labels_that_a_flow_sets_can_be_searched_for_and_are_merged() -> None:
    app = cb.App("facts")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.label(state="begun", size="3")
        await ctx.label(state="done")

    async with runtime(app) as test:
        handle = await test.start(flow, labels={"team": "east"})
        await handle.result(timeout=30)
        assert (await handle.run()).labels == {"team": "east", "state": "done", "size": "3"}
        assert [r.id for r in await test.rt.store.runs.find("default", labels={"state": "done"})] == [handle.id]
        assert await test.rt.store.runs.find("default", labels={"state": "begun"}) == []


async def test_a_flow_sees_the_labels_that_it_was_started_with_also_on_replay() -> None:
    app, seen = cb.App("facts"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        seen.append(ctx.labels)
        await ctx.label(state="begun")
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(flow, labels={"team": "east"})
        await test.wind(11)
        await handle.result(timeout=30)
    assert seen == [{"team": "east"}] * 2


async def test_progress_is_told_once_and_never_while_the_past_is_replayed() -> None:
    app = cb.App("facts")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.sleep(1)
        for percent in (0, 50, 100):
            ctx.progress(percent)
            await ctx.sleep(10)

    async with runtime(app) as test:
        chunks = await watched(test, await test.start(flow), 50)
    assert [chunk.value for chunk in chunks] == [0, 50, 100]
    assert {chunk.kind for chunk in chunks} == {"progress"}


async def test_progress_at_the_end_of_a_branch_is_not_told_again_on_replay() -> None:
    app = cb.App("facts")

    async def branch(ctx: cb.Context, name: str) -> None:
        await ctx.step(one)
        ctx.progress(name)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.sleep(1)
        await ctx.gather(branch(ctx, "a"), branch(ctx, "b"))
        await ctx.sleep(10)

    async with runtime(app) as test:
        chunks = await watched(test, await test.start(flow), 50)
    assert sorted(chunk.value for chunk in chunks) == ["a", "b"]


async def test_progress_leaves_no_trace_in_the_journal() -> None:
    app = cb.App("facts")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        ctx.progress({"percent": 50})

    async with runtime(app) as test:
        handle = await test.start(flow)
        await handle.result(timeout=30)
        assert [e.kind.label async for e in handle.events()] == ["started", "run succeeded"]
