"""Whoever follows a run live is let go when it has ended, with all that was said."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import InputInvalid
from callboard.domain.kinds import ErrorKind
from callboard.testing import Fault, ScriptedModel, runtime


def said(chunks: list[Any]) -> str:
    return "".join(getattr(chunk.value, "text", "") for chunk in chunks)


async def heard(handle: cb.RunHandle, after: str | None = None) -> list[Any]:
    async with asyncio.timeout(60):
        return [chunk async for chunk in handle.stream(after)]


def app_of(**model: Any) -> tuple[cb.App, cb.Agent]:
    app = cb.App("talk")
    return app, app.agent("clerk", model=ScriptedModel(["all is said and done"], chunk=3, **model))


@pytest.mark.parametrize("pause", [0.0, 0.01])
async def test_a_stream_ends_with_its_run_and_has_all_of_it(pause: float) -> None:
    app, agent = app_of(per_chunk=pause, latency=0.01)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        assert said(await heard(handle)) == "all is said and done"
        assert said(await heard(handle, "0-0")) == "all is said and done"
        assert await heard(handle) == []


async def test_a_stream_of_a_run_that_fails_or_is_cancelled_ends_too() -> None:
    app, agent = app_of(faults=[Fault(ErrorKind.INVALID_REQUEST, attempts=9, after_chunks=2)])

    @app.flow
    async def wait(ctx: cb.Context, _: Any) -> None:
        ctx.progress({"step": 1})
        await ctx.sleep(1000)

    async with runtime(app) as test:
        assert said(await heard(await test.start(agent, "go"), "0-0")) == "all is"
        handle = await test.start(wait)
        following = asyncio.create_task(heard(handle, "0-0"))
        await test.settle()
        await handle.cancel("enough")
        assert [chunk.value for chunk in await following] == [{"step": 1}]


async def test_a_reader_that_is_slow_is_not_cut_off_by_the_end() -> None:
    app, agent = app_of()
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await handle.result(timeout=30)
        got = []
        async with asyncio.timeout(60):
            async for chunk in handle.stream("0-0"):
                got.append(chunk)
                await asyncio.sleep(0.06)
        assert said(got) == "all is said and done"


async def test_a_place_that_cannot_be_is_still_refused() -> None:
    app, agent = app_of()
    async with runtime(app) as test:
        with pytest.raises(InputInvalid):
            await heard(await test.start(agent, "go"), "nowhere")
