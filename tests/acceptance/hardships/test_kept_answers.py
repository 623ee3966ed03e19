"""Answers that are given again: in replays, after failovers and deaths, and with calls that bear the same ids."""

import asyncio
from pathlib import Path
from typing import Any

import callboard as cb
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import ToolCall
from callboard.models import ModelRequest
from callboard.testing import Fault, ScriptedModel, runtime
from tests.acceptance.hardships import books

PRICE = (1_000_000, 2_000_000)


class World:
    """An agent that looks something up twice, with a cache, behind a route whose first candidate is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.asked: list[str] = []
        self.looked = 0
        self.reached, self.free, self.holds = asyncio.Event(), asyncio.Event(), False
        self.app = app = cb.App("kept")
        app.budget("tenant", usd="5.00")

        @app.tool(effect="read")
        async def look(item: str) -> str:
            self.looked += 1
            return f"{item} number {self.looked}"

        faults = [Fault(ErrorKind.OVERLOADED, attempts=99, after_chunks=1)] if away else []
        app.model("one", ScriptedModel(self.answer("one"), name="one", price=PRICE, faults=faults))
        app.model("two", ScriptedModel(self.answer("two"), name="two", price=PRICE))
        app.route("smart", "one", "two")
        self.agent = app.agent("clerk", route="smart", tools=[look], cache=cb.Cache(age=1000), max_output_tokens=100)

        @app.flow
        async def twice(ctx: cb.Context, wait: float) -> list[Any]:
            first = await self.agent.converse(ctx, "where is it?")
            second = await self.agent.converse(ctx, "where is it?")
            await ctx.sleep(wait)
            return [[each.content for each in said.tool_results] for said in (first, second)]

        @app.flow
        async def asked(ctx: cb.Context, _: Any) -> Any:
            return await self.agent.run(ctx, "where is it?")

    def answer(self, name: str) -> Any:
        async def say(request: ModelRequest) -> Any:
            self.asked.append(name)
            if self.holds:
                self.reached.set()
                await self.free.wait()
            if request.turn == 0:  # one id for two calls, as some providers give
                return [ToolCall("call_1", "look", {"item": each}) for each in ("hat", "coat")]
            return "there"

        return say


async def test_a_kept_answer_s_calls_are_made_anew_and_a_replay_gets_the_same(tmp_path: Path) -> None:
    world = World()
    async with runtime(world.app, tmp_path / "x.db") as test:
        handle = await test.start("twice", 500.0)
        await test.settle()
        asked = len(world.asked)
        handle = await books.kill_and_go_on(test, handle)
        test.clock.set(test.clock.now() + 1500.0)  # what was kept is too old by now
        found = await handle.result(timeout=30)
        assert found == [["hat number 1", "coat number 2"], ["hat number 3", "coat number 4"]]
        assert len(world.asked) == asked
        assert world.looked == 4
        await books.check(test, [handle.id])


async def test_the_answer_of_whoever_stood_in_is_kept_for_the_question(tmp_path: Path) -> None:
    world = World(away=True)
    async with runtime(world.app, tmp_path / "x.db") as test:
        handle = await test.start("asked")
        assert await handle.result(timeout=30) == "there"
        assert world.asked == ["one", "two", "one", "two"]
        again = await test.start("asked")
        assert await again.result(timeout=30) == "there"
        assert world.asked[4:] == ["one", "two"]  # the last turn: what the tools said is another question
        kinds = [e.kind for e in await books.journal(test, again.id) if e.path.endswith("/0:model")]
        assert kinds == [EventKind.DONE]
        await books.check(test, [handle.id, again.id])


async def test_an_answer_that_others_got_meanwhile_does_not_hide_what_a_dead_call_held(tmp_path: Path) -> None:
    world = World()
    async with runtime(world.app, tmp_path / "x.db") as test:
        world.holds = True
        handle = await test.start("asked")
        await asyncio.wait_for(world.reached.wait(), 60)
        await test.kill()
        world.holds = False
        await test.restart()
        handle = test.rt.handle(handle.id)
        assert await handle.result(timeout=30) == "there"
        await books.check(test, [handle.id])


async def test_a_call_that_died_and_then_finds_a_kept_answer_is_paid_for(tmp_path: Path) -> None:
    world = World()
    async with runtime(world.app, tmp_path / "x.db") as test:
        world.holds = True
        first = await test.start("asked")
        await asyncio.wait_for(world.reached.wait(), 60)
        world.holds = False
        second = await test.start("asked")  # gets its answer while the first one's is under way
        assert await second.result(timeout=30) == "there"
        first = await books.kill_and_go_on(test, first)
        assert await first.result(timeout=30) == "there"
        found = await books.journal(test, first.id)
        kinds = [e.kind for e in found if e.path.endswith("/0:model")]
        assert kinds == [EventKind.INTENT, EventKind.DONE], books.lines(found)
        total = await books.check(test, [first.id, second.id])
        assert total.cost > 100
