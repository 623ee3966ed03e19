"""Long calls show life; one that does not is given up, and the next attempt knows how far it was."""

import asyncio
import threading
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import InputInvalid
from callboard.domain.event import EventKind
from callboard.domain.retry import Retry
from callboard.testing import runtime
from tests.unit.engine.play import Gate, die_and_return, failure, kinds, let_pass, until


async def test_a_step_that_beats_may_take_longer_than_its_heartbeat_limit() -> None:
    app = cb.App("beats")

    async def steady(heartbeat: cb.Heartbeat) -> str:
        for _ in range(10):
            await let_pass(3)
            heartbeat()
            await asyncio.sleep(0)
        return "done"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return str(await ctx.step(steady, heartbeat=20))

    async with runtime(app) as test:
        assert await test.run(flow) == "done"


async def test_a_step_that_falls_silent_is_given_up() -> None:
    app = cb.App("beats")

    async def silent(heartbeat: cb.Heartbeat) -> None:
        heartbeat()
        await asyncio.sleep(60)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(silent, heartbeat=0.05)

    async with runtime(app) as test:
        error = await failure(await test.start(flow))
        assert (error.code, "sign of life" in str(error)) == ("timed_out", True)


async def test_the_next_attempt_knows_what_the_one_before_said_last() -> None:
    app, seen = cb.App("beats"), []

    async def pages(heartbeat: cb.Heartbeat) -> int:
        begun = heartbeat.last["page"] if heartbeat.last else 0
        seen.append(begun)
        heartbeat({"page": begun + 5})
        await asyncio.sleep(0)
        if begun < 10:
            raise OSError("cut off")
        return begun

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        return int(await ctx.step(pages, heartbeat=60, retry=Retry(attempts=5)))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(60)
        # What an attempt said is there for the attempts of a later claim; within one claim it is remembered too.
        assert await handle.result(timeout=30) == 10
        assert seen == [0, 5, 10]
        assert EventKind.BEAT in await kinds(test, handle, "0:pages")


async def test_what_was_said_survives_the_death_of_the_worker() -> None:
    app, gate, seen = cb.App("beats"), Gate(), []

    async def pages(heartbeat: cb.Heartbeat) -> str:
        seen.append(heartbeat.last)
        heartbeat({"page": 7})
        await gate.enter()
        return "done"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return str(await ctx.step(pages, heartbeat=60))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await until(lambda: kinds(test, handle, "0:pages"))
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == "done"
        assert seen == [None, {"page": 7}]


async def test_a_tool_in_a_thread_may_beat_and_is_tried_again_when_it_falls_silent() -> None:
    app, seen, over = cb.App("beats"), [], threading.Event()

    @app.tool(effect="read", heartbeat=20, retry=Retry(attempts=2, first=0.0))
    def crawl(url: str, heartbeat: cb.Heartbeat) -> str:
        """Crawls.

        Args:
            url: where.
        """
        seen.append(heartbeat.last)
        heartbeat({"depth": 3})
        if len(seen) == 1:
            over.wait(60)
        return url

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return await crawl.call(ctx, url="here")

    assert "heartbeat" not in crawl.tool.spec().parameters["properties"]
    async with runtime(app) as test:
        handle = await test.start(flow)
        await until(lambda: kinds(test, handle, "0:crawl"))
        await let_pass(21)
        await test.wind(60)
        assert await handle.result(timeout=30) == "here"
        assert seen == [None, {"depth": 3}]
        over.set()


def test_limit_and_parameter_belong_together() -> None:
    app = cb.App("beats")
    with pytest.raises(InputInvalid, match="belong together"):

        @app.tool(effect="read", heartbeat=5)
        def one(url: str) -> str:
            return url

    with pytest.raises(InputInvalid, match="belong together"):

        @app.tool(effect="read")
        def two(url: str, heartbeat: cb.Heartbeat) -> str:
            return url
