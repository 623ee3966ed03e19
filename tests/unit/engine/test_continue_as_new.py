"""A flow that never ends begins anew: the same run, a short journal, nothing that was sent to it lost."""

from typing import Any

import callboard as cb
from callboard.domain.errors import InputInvalid
from callboard.domain.run import RunStatus
from callboard.testing import runtime
from tests.unit.engine.play import Counter, die_and_return, events, failure, story


async def test_a_run_goes_on_with_another_input_under_the_same_id() -> None:
    app = cb.App("anew")

    @app.flow
    async def count(ctx: cb.Context, n: int) -> str:
        if n < 5:
            ctx.continue_as_new(n + 1)
        return f"{ctx.run_id} counted to {n}"

    async with runtime(app) as test:
        handle = await test.start(count, 0)
        assert await handle.result(timeout=30) == f"{handle.id} counted to 5"
        told = await story(test, handle)
        assert told == ["started", *["continued"] * 5, "run succeeded"]
        assert [e.seq for e in await events(test, handle)] == list(range(7))


async def test_only_what_came_after_is_replayed_and_nothing_before_is_done_again() -> None:
    app, counter = cb.App("anew"), Counter()

    @app.flow
    async def rounds(ctx: cb.Context, n: int) -> list[int]:
        first = await ctx.step(counter.count)
        await ctx.wait("next")
        if n < 3:
            ctx.continue_as_new(n + 1)
        return [n, first]

    async with runtime(app) as test:
        handle = await test.start(rounds, 0)
        for _ in range(4):
            await test.settle()
            handle = await die_and_return(test, handle)
            await handle.signal("next")
        assert await handle.result(timeout=30) == [3, 4]
        assert counter.calls == 4


async def test_signals_that_nobody_asked_for_yet_are_still_there() -> None:
    app = cb.App("anew")

    @app.flow
    async def rounds(ctx: cb.Context, got: list[int]) -> list[int]:
        if len(got) < 10:
            ctx.continue_as_new([*got, await ctx.wait("number")])
        return got

    async with runtime(app) as test:
        handle = await test.start(rounds, [])
        for n in range(10):
            await handle.signal("number", n)
        assert await handle.result(timeout=30) == list(range(10))


async def test_a_call_at_the_same_place_has_another_key_each_time() -> None:
    app, keys = cb.App("anew"), []

    @app.tool(effect="idempotent")
    async def pay(*, key: cb.IdempotencyKey) -> str:
        keys.append(str(key))
        return "paid"

    @app.flow
    async def rounds(ctx: cb.Context, n: int) -> int:
        await pay.call(ctx)
        if n < 3:
            ctx.continue_as_new(n + 1)
        return n

    async with runtime(app) as test:
        await test.run(rounds, 0)
    assert len(set(keys)) == len(keys) == 4


async def test_attached_children_are_cancelled_and_report_to_nobody() -> None:
    app = cb.App("anew")

    @app.flow
    async def child(ctx: cb.Context, _: Any) -> str:
        return str(await ctx.wait("never"))

    @app.flow
    async def quick(ctx: cb.Context, n: int) -> int:
        return n

    @app.flow
    async def parent(ctx: cb.Context, n: int) -> Any:
        if n == 0:
            attached = await ctx.spawn(child, None, mode="attached")
            ctx.continue_as_new({"child": attached.id}["child"] and 1)
        return await ctx.spawn(quick, 7)

    async with runtime(app) as test:
        handle = await test.start(parent, 0)
        assert await handle.result(timeout=30) == 7
        await test.settle()
        statuses = {r.flow: r.status for r in await test.rt.store.runs.find("default")}
        assert statuses["child"] is RunStatus.CANCELLED


async def test_an_input_that_does_not_fit_is_refused_where_it_is_given() -> None:
    app = cb.App("anew")

    @app.flow
    async def flow(ctx: cb.Context, n: int) -> str:
        try:
            ctx.continue_as_new("many")
        except InputInvalid as error:
            return error.what

    async with runtime(app) as test:
        assert "the input of flow" in await test.run(flow, 1)


async def test_inside_a_branch_it_is_a_mistake_that_explains_itself() -> None:
    app = cb.App("anew")

    @app.flow
    async def flow(ctx: cb.Context, n: int) -> Any:
        async def branch() -> None:
            ctx.continue_as_new(n)

        return await ctx.gather(branch(), ctx.sleep(1))

    async with runtime(app) as test:
        handle = await test.start(flow, 1)
        await test.wind(2)
        error = await failure(handle)
        assert "continue_as_new" in str(error)


async def test_the_limit_of_effects_counts_from_the_new_beginning() -> None:
    app = cb.App("anew")

    @app.flow
    async def flow(ctx: cb.Context, n: int) -> int:
        for _ in range(8):
            await ctx.now()
        if n < 5:
            ctx.continue_as_new(n + 1)
        return n

    async with runtime(app, settings=cb.Settings().engine.__class__(effects=10, sweep=0.05)) as test:
        assert await test.run(flow, 0) == 5


async def test_a_run_that_began_anew_can_be_forked_before_and_after() -> None:
    app, counter = cb.App("anew"), Counter()

    @app.flow
    async def rounds(ctx: cb.Context, n: int) -> list[int]:
        count = await ctx.step(counter.count)
        if n < 2:
            ctx.continue_as_new(n + 1)
        return [n, count]

    async with runtime(app) as test:
        handle = await test.start(rounds, 0)
        assert await handle.result(timeout=30) == [2, 3]
        # 0 started, 1 done, 2 continued, 3 done, 4 continued, 5 done, 6 run succeeded
        early = await test.rt.commands.fork("default", handle.id, 1)
        late = await test.rt.commands.fork("default", handle.id, 5)
        assert await test.rt.handle(late.id).result(timeout=30) == [2, 3]
        assert await test.rt.handle(early.id).result(timeout=30) == [2, 5]
