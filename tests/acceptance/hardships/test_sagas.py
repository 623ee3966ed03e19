"""Sagas in agents in child runs, around branches, and while people are asked: nothing of what was undone stands."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.testing import TestRuntime, call, runtime, survives_kills
from tests.acceptance.hardships import books
from tests.unit.engine.play import decide


class Town:
    """Booked by key; undoing may hang, one booking may fail, and another may take its time."""

    def __init__(self, *, fails: str = "", slow: str = "", undo_hangs: bool = False, asks: bool = False) -> None:
        self.booked: dict[str, str] = {}
        self.undone: list[str] = []
        self.fails, self.slow = fails, slow
        self.undo_hangs = undo_hangs
        self.undoing, self.free, self.booking = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.app = app = cb.App("town")
        on_failure = cb.escalate() if asks else None

        def stop(name: str) -> Any:
            async def undo(original_key: str) -> None:
                self.undoing.set()
                if self.undo_hangs:
                    await self.free.wait()
                if self.booked.pop(original_key, None) is not None:
                    self.undone.append(name)

            @app.tool(name=name, effect="idempotent", retry=cb.Retry(attempts=1), compensate=undo,
                on_failure=on_failure)  # fmt: skip
            async def book(to: str, key: cb.IdempotencyKey) -> str:
                """Books it."""
                if self.fails == name:
                    raise cb.UpstreamRejected("sold out")
                if self.slow == name:
                    self.booking.set()
                    await asyncio.sleep(0.05)
                self.booked[key] = name
                return f"{name} booked"

            return book

        self.tools = tools = [stop(name) for name in ("flight", "hotel", "car")]
        clerk = app.agent(
            "clerk", model=cb.ScriptedModel([[call(t.name, to="Rome") for t in tools], "all booked"]), tools=tools
        )

        @app.flow
        async def by_agent(ctx: cb.Context, _: Any) -> Any:
            async with ctx.saga(retry=cb.Retry(attempts=2, first=0.0)):
                await clerk.run(ctx, "book")
                raise ValueError("changed their mind")

        @app.flow
        async def family(ctx: cb.Context, _: Any) -> Any:
            async with ctx.saga():
                await tools[0].call(ctx, to="Paris")
                try:
                    return await ctx.spawn(by_agent, None)
                except cb.CallboardError:
                    raise ValueError("no trip") from None

        @app.flow
        async def at_once(ctx: cb.Context, _: Any) -> Any:
            async with ctx.saga():
                return await ctx.gather(*(tool.call(ctx, to="Rome") for tool in tools))

        @app.flow
        async def calm(ctx: cb.Context, _: Any) -> Any:
            async with ctx.saga():
                first = await tools[0].call(ctx, to="Rome")
                return [first, await tools[1].call(ctx, to="Rome")]


@pytest.mark.parametrize("dies", [False, True])
async def test_a_cancel_from_outside_while_a_child_undoes_leaves_nothing(dies: bool, tmp_path: Path) -> None:
    town = Town(undo_hangs=True)
    async with runtime(town.app, tmp_path / "x.db") as test:
        handle = await test.start("family")
        await asyncio.wait_for(town.undoing.wait(), 60)
        await handle.cancel("enough")
        await asyncio.sleep(0.05)
        if dies:
            handle = await books.kill_and_go_on(test, handle)
        town.free.set()
        await ended(test)
        assert town.booked == {}
        assert sorted(town.undone) == ["car", "flight", "flight", "hotel"]
        assert await handle.status() is cb.RunStatus.CANCELLED


@pytest.mark.parametrize("fails", ["flight", "hotel", "car"])
@pytest.mark.parametrize("slow", ["flight", "hotel", "car"])
async def test_one_failing_branch_undoes_all_others_also_the_slow_ones(fails: str, slow: str) -> None:
    town = Town(fails=fails, slow=slow)
    async with runtime(town.app) as test:
        with pytest.raises(cb.RunFailed, match="sold out"):
            await test.run("at_once")
    assert town.booked == {}
    assert len(town.undone) == 2


@pytest.mark.parametrize("flow", ["family", "at_once"])
async def test_killed_at_every_commit_nothing_stands(flow: str) -> None:
    town = Town(fails="hotel" if flow == "at_once" else "")

    def nothing(_: Any) -> None:
        assert town.booked == {}

    assert await survives_kills(town.app, flow, None, check=nothing) > 5


@pytest.mark.parametrize("word", ["rejected", "approved", "cancel"])
@pytest.mark.parametrize("dies", [False, True])
async def test_a_person_who_is_asked_within_a_saga_decides_whether_it_is_undone(
    word: str, dies: bool, tmp_path: Path
) -> None:
    town = Town(fails="hotel", asks=True)
    async with runtime(town.app, tmp_path / "x.db") as test:
        handle = await test.start("calm")
        await test.settle()
        assert await handle.status() is cb.RunStatus.WAITING
        assert list(town.booked.values()) == ["flight"]
        if dies:
            handle = await books.kill_and_go_on(test, handle)
        if word == "approved":
            town.fails = ""
        if word == "cancel":
            await handle.cancel("enough")
        else:
            await decide(test, handle, word)
        await ended(test)
        if word == "approved":
            assert await handle.result(timeout=30) == ["flight booked", "hotel booked"]
            assert sorted(town.booked.values()) == ["flight", "hotel"]
        else:
            assert town.booked == {}
            assert town.undone == ["flight"]


async def ended(test: TestRuntime) -> None:
    for _ in range(200):
        await test.settle(5)
        runs = await test.rt.store.runs.find("default", limit=100)
        if all(run.status.ended for run in runs):
            return
        due = await test.next_due()
        if due is not None:
            test.clock.set(max(due, test.clock.now()))
        await asyncio.sleep(0.02)
    raise AssertionError([(run.flow, run.status, run.error) for run in runs])
