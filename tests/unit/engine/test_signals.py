"""Signals wait in the run's inbox until the flow asks for them, one after the other."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

import callboard as cb
from callboard.domain.errors import Conflict, InputInvalid, NotFound
from callboard.testing import runtime
from tests.unit.engine.play import Gate, die_and_return, failure


class Note(BaseModel):
    text: str
    stars: int


async def test_a_signal_that_comes_before_its_wait_is_kept() -> None:
    app, gate = cb.App("signals"), Gate()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        await ctx.step(gate.enter)
        return await ctx.wait("word")

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await handle.signal("word", {"early": True})
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == {"early": True}


async def test_signals_of_one_name_are_consumed_in_the_order_in_which_they_were_sent() -> None:
    app = cb.App("signals")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        got = []
        for pause in (0, 10, 0, 10):
            await ctx.sleep(pause)
            got.append(await ctx.wait("word"))
        return got

    async with runtime(app) as test:
        handle = await test.start(flow)
        for n in range(4):
            await handle.signal("word", n)
            await handle.signal("other", "noise")
        await test.wind(30)
        assert await handle.result(timeout=30) == [0, 1, 2, 3]


async def test_two_waiters_of_one_name_are_served_in_their_order() -> None:
    app = cb.App("signals")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return await ctx.gather(ctx.wait("word"), ctx.wait("word"))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.signal("word", "first")
        await test.settle()
        await handle.signal("word", "second")
        assert await handle.result(timeout=30) == ["first", "second"]


async def test_a_wait_ends_at_its_time_limit_and_a_later_signal_is_for_the_next_wait() -> None:
    app = cb.App("signals")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        try:
            await ctx.wait("word", timeout=60)
        except cb.TimedOut as late:
            return [str(late), await ctx.wait("word")]
        return []

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(61)
        await handle.signal("word", "late")
        assert await handle.result(timeout=30) == ["no signal 'word' came in time", "late"]


async def test_a_signal_that_is_there_when_the_limit_is_over_still_counts() -> None:
    app = cb.App("signals")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.wait("word", timeout=60)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await test.kill()
        await handle.signal("word", "in time")
        test.clock.set(test.clock.now() + 61)
        await test.restart()
        assert await test.rt.handle(handle.id).result(timeout=30) == "in time"


async def test_a_value_comes_as_the_type_that_the_wait_declares_live_and_replayed() -> None:
    app, seen = cb.App("signals"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        seen.append(await ctx.wait("note", type=Note))
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await handle.signal("note", {"text": "well", "stars": 5})
        await test.wind(11)
        await handle.result(timeout=30)
    assert seen == [Note(text="well", stars=5)] * 2


async def test_a_value_of_another_type_is_an_error_that_the_flow_can_catch_live_and_replayed() -> None:
    app, seen = cb.App("signals"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        try:
            await ctx.wait("note", type=Note)
        except InputInvalid as wrong:
            seen.append(str(wrong))
        await ctx.sleep(10)
        return (await ctx.wait("note", type=Note)).stars

    async with runtime(app) as test:
        handle = await test.start(flow)
        await handle.signal("note", {"text": "no stars"})
        await handle.signal("note", {"text": "stars", "stars": 4})
        await test.wind(11)
        assert await handle.result(timeout=30) == 4
    assert len(seen) == 2 and seen[0] == seen[1]
    assert "stars: Field required" in seen[0]


async def test_a_value_of_another_type_fails_a_flow_that_does_not_expect_it() -> None:
    app = cb.App("signals")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.wait("count", type=int)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await handle.signal("count", "many")
        assert "the signal 'count' is not valid" in str(await failure(handle))


@pytest.mark.parametrize("rounds", [60])
async def test_no_signal_is_lost_between_a_wait_and_its_parking(rounds: int) -> None:
    app = cb.App("signals")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return [await ctx.wait("word") for _ in range(5)]

    async with runtime(app) as test:
        handles = [await test.start(flow) for _ in range(rounds)]

        async def send(handle: cb.RunHandle) -> None:
            for n in range(5):
                await handle.signal("word", n)
                await asyncio.sleep(0)

        await asyncio.gather(*[send(handle) for handle in handles])
        assert await asyncio.gather(*[h.result(timeout=30) for h in handles]) == [[0, 1, 2, 3, 4]] * rounds


async def test_a_signal_to_a_run_that_has_ended_is_a_conflict() -> None:
    app = cb.App("signals")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None: ...

    async with runtime(app) as test:
        handle = await test.start(flow)
        await handle.result(timeout=30)
        with pytest.raises(Conflict, match=f"run {handle.id} has ended"):
            await handle.signal("word", 1)


async def test_a_signal_to_nobody_or_without_a_name_or_of_no_json_is_refused() -> None:
    app = cb.App("signals")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.wait("word")

    async with runtime(app) as test:
        handle = await test.start(flow)
        with pytest.raises(NotFound):
            await test.rt.handle("0" * 26).signal("word", 1)
        with pytest.raises(NotFound):
            await test.rt.handle(handle.id, tenant="other").signal("word", 1)
        with pytest.raises(InputInvalid, match="is empty"):
            await handle.signal("", 1)
        with pytest.raises(InputInvalid, match="cannot be stored"):
            await handle.signal("word", object())
