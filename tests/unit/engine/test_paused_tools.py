"""Operators pause a tool: calls wait, nothing fails, and they go on when it is resumed."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.run import RunStatus
from callboard.store.controls import Control, Scope
from callboard.testing import runtime


@pytest.mark.parametrize("effect", ["read", "idempotent", "once"])
async def test_calls_of_a_paused_tool_wait_until_it_is_resumed(effect: str) -> None:
    app, called = cb.App("pauses"), []

    @app.tool(effect=effect)
    async def pay() -> str:
        called.append(1)
        return "paid"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return str(await pay.call(ctx))

    async with runtime(app) as test:
        await test.rt.store.controls.put(Control(scope=Scope.TOOL, name="pay", paused=True))
        while not test.rt.services.fleet.pauses("pay"):
            await asyncio.sleep(0.01)
        handle = await test.start(flow)
        await test.settle()
        await test.wind(30)
        assert (await handle.status(), called) == (RunStatus.WAITING, [])
        await test.rt.store.controls.remove(Scope.TOOL, "pay")
        while test.rt.services.fleet.pauses("pay"):
            await asyncio.sleep(0.01)
        await test.wind(6)
        assert await handle.result(timeout=30) == "paid"
        assert called == [1]


async def test_a_run_that_waits_for_its_tool_can_be_cancelled() -> None:
    app = cb.App("pauses")

    @app.tool(effect="once")
    async def pay() -> str:
        return "paid"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return str(await pay.call(ctx))

    async with runtime(app) as test:
        await test.rt.store.controls.put(Control(scope=Scope.TOOL, name="pay", paused=True))
        while not test.rt.services.fleet.pauses("pay"):
            await asyncio.sleep(0.01)
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel("enough")
        await test.settle()
        assert await handle.status() is RunStatus.CANCELLED
