"""The runtime of the test kit: wound, killed and started again at will."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.testing import WindingClock, runtime
from tests.unit.engine.play import Gate


def waiting_app() -> cb.App:
    app = cb.App("kit")

    @app.flow
    async def patient(ctx: cb.Context, hours: int) -> float:
        begun = await ctx.now()
        for _hour in range(hours):
            await ctx.sleep(3_600)
        return await ctx.now() - begun

    @app.flow
    async def busy(ctx: cb.Context, seconds: float) -> str:
        await ctx.step(asyncio.sleep, seconds, name="work")
        return "done"

    return app


async def test_three_days_are_wound_in_milliseconds() -> None:
    async with runtime(waiting_app()) as test:
        handle = await test.start("patient", 72)
        begun = time.monotonic()
        await test.wind(days=3)
        assert time.monotonic() - begun < 5
        assert await handle.result(timeout=30) == 72 * 3_600


async def test_winding_stops_at_each_timer_on_its_way() -> None:
    async with runtime(waiting_app()) as test:
        begun = test.clock.now()
        handle = await test.start("patient", 2)
        await test.wind(hours=1.5)
        assert test.clock.now() == begun + 5_400
        assert (await handle.run()).wake_at == begun + 7_200  # not a moment later for having been wound past
        await test.wind(1_800)
        assert await handle.result(timeout=30) == 7_200


async def test_settling_waits_for_what_is_being_executed_and_not_for_what_waits() -> None:
    async with runtime(waiting_app()) as test:
        busy, patient = await test.start("busy", 0.1), await test.start("patient", 1)
        await test.settle()
        assert await busy.status() is cb.RunStatus.SUCCEEDED
        assert await patient.status() is cb.RunStatus.WAITING


async def test_settling_gives_up_after_its_time() -> None:
    async with runtime(waiting_app()) as test:
        await test.start("busy", 30)
        with pytest.raises(TimeoutError):
            await test.settle(timeout=0.05)


async def test_a_killed_worker_writes_nothing_more_and_a_new_one_goes_on(tmp_path: Path) -> None:
    for path in (None, tmp_path / "store.db"):
        app, gate = cb.App("kit"), Gate("done")

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> Any:
            return await ctx.step(gate.enter)  # noqa: B023

        async with runtime(app, path) as test:
            handle = await test.start("flow")
            await gate.reached.wait()
            await test.kill()
            await asyncio.sleep(0.1)
            assert await handle.status() is cb.RunStatus.RUNNING  # nobody has noticed yet
            await test.restart()
            gate.opened.set()
            assert await test.rt.handle(handle.id).result(timeout=30) == "done"


async def test_a_runtime_on_a_file_finds_what_an_earlier_one_left(tmp_path: Path) -> None:
    clock = WindingClock()
    async with runtime(waiting_app(), tmp_path / "store.db", clock=clock) as test:
        handle = await test.start("patient", 1)
        await test.settle()
    async with runtime(waiting_app(), tmp_path / "store.db", clock=clock) as test:
        await test.wind(hours=1)
        assert await test.rt.handle(handle.id).result(timeout=30) == 3_600


async def test_runtimes_in_memory_know_nothing_of_each_other() -> None:
    async with runtime(waiting_app()) as one, runtime(waiting_app()) as other:
        await one.start("patient", 1)
        assert await other.rt.store.runs.find("default") == []


async def test_a_fault_hook_sees_each_commit() -> None:
    points: list[str] = []
    async with runtime(waiting_app(), fault=points.append) as test:
        await test.run("busy", 0)
    assert points.count("before_commit") == points.count("after_commit") >= 3


async def test_an_app_s_opening_is_awaited_before_anything_is_executed() -> None:
    app, said = waiting_app(), []

    @app.on_open
    async def connect(settings: Any) -> None:
        await asyncio.sleep(0.02)
        said.append(settings.tenant)

    async with runtime(app) as test:
        assert said == ["default"]
        await test.run("busy", 0)
