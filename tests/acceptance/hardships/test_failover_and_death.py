"""A model call that fails over, in a process that dies twice, goes on as planned and is paid for once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.models import ModelRequest
from callboard.models.model import RestartDelta
from callboard.testing import Fault, ScriptedModel, TestRuntime, runtime
from tests.acceptance.hardships import books

PRICE = (1_000_000, 4_000_000)


class Theatre:
    """Two candidates: the first is cut after three deltas, the second says something when it is let."""

    def __init__(self, kind: Any = "cut") -> None:
        self.first = self.second = 0
        self.before = asyncio.Event()
        self.middle = asyncio.Event()
        self.hold_before = self.hold_middle = True
        self.app = cb.App("theatre")
        self.app.budget("tenant", usd="5.00")
        self.app.model("one", ScriptedModel(self.ask_first, name="one", chunk=4, price=PRICE, faults=[
            Fault(kind, attempts=99, after_chunks=3)]))  # fmt: skip
        self.app.model("two", ScriptedModel(self.ask_second, name="two", chunk=4, per_chunk=0.001, price=PRICE,
            sleep=self.between))  # fmt: skip
        self.app.route("smart", "one", "two")
        self.agent = self.app.agent("clerk", route="smart", max_output_tokens=50)

    def ask_first(self, request: ModelRequest) -> str:
        self.first += 1
        return "the first has much to say"

    async def ask_second(self, request: ModelRequest) -> str:
        self.second += 1
        if self.hold_before:
            self.before.set()
            await asyncio.sleep(60)
        return "the second is brief"

    async def between(self, seconds: float) -> None:
        if self.hold_middle:
            self.middle.set()
            await asyncio.sleep(60)


async def follow(test: TestRuntime, run_id: str, into: list[Any]) -> None:
    async for chunk in test.rt.handle(run_id).stream("0-0"):
        into.append(chunk.value)


@pytest.mark.parametrize("kind", ["cut", ErrorKind.OVERLOADED, ErrorKind.UPSTREAM_DOWN])
@pytest.mark.parametrize("place", ["memory", "file"])
async def test_two_deaths_after_a_failover_change_nothing_but_the_bill(kind: Any, place: str, tmp_path: Path) -> None:
    world = Theatre(kind)
    async with runtime(world.app, None if place == "memory" else tmp_path / "x.db") as test:
        handle = await test.start(world.agent, "go")
        await asyncio.wait_for(world.before.wait(), 60)
        world.hold_before = False
        handle = await books.kill_and_go_on(test, handle)
        heard: list[Any] = []
        watching = asyncio.create_task(follow(test, handle.id, heard))
        await asyncio.wait_for(world.middle.wait(), 60)
        world.hold_middle = False
        watching.cancel()
        handle = await books.kill_and_go_on(test, handle)
        again: list[Any] = []
        watching = asyncio.create_task(follow(test, handle.id, again))
        assert await handle.result(timeout=30) == "the second is brief"
        await asyncio.sleep(0.01)
        watching.cancel()
        assert (world.first, world.second) == (1, 3)
        found = await books.journal(test, handle.id)
        intents = [e.value() for e in found if e.kind is EventKind.INTENT and e.path.endswith(":model")]
        assert [each["note"]["model"] for each in intents] == ["one", "two", "two", "two"]
        assert [each["note"]["considered"][-1][0] for each in intents] == ["one", "two", "two", "two"]
        restarts = [each for each in heard if isinstance(each, RestartDelta)]
        assert restarts, heard
        assert [each.model for each in again if isinstance(each, RestartDelta)][-1] == "two"
        said = again[max(i for i, each in enumerate(again) if isinstance(each, RestartDelta)) + 1 :]
        assert "".join(each.text for each in said) == "the second is brief"
        await books.check(test, [handle.id])


async def test_what_failed_for_good_after_a_death_is_paid_for_too(tmp_path: Path) -> None:
    """The first attempt dies with its process, the second finds nobody who may be asked."""
    app = cb.App("theatre")
    app.budget("tenant", usd="5.00")
    reached, hold = asyncio.Event(), True

    async def answer(request: ModelRequest) -> str:
        reached.set()
        if hold:
            await asyncio.sleep(60)
        return "done"

    agent = app.agent(
        "clerk", model=ScriptedModel(answer, price=PRICE), limits=cb.Limits(usd="0.002000"), max_output_tokens=400
    )
    async with runtime(app, tmp_path / "x.db") as test:
        handle = await test.start(agent, "go")
        await asyncio.wait_for(reached.wait(), 60)
        hold = False
        handle = await books.kill_and_go_on(test, handle)
        with pytest.raises(cb.RunFailed) as caught:
            await handle.result(timeout=30)
        assert isinstance(caught.value.error, cb.LimitReached)
        assert caught.value.error.reason == "usd"
        used = await books.check(test, [handle.id])
        assert used.cost > 0


async def test_a_cancel_after_a_death_pays_for_what_the_dead_had_asked(tmp_path: Path) -> None:
    world = Theatre()
    async with runtime(world.app, tmp_path / "x.db") as test:
        handle = await test.start(world.agent, "go")
        await asyncio.wait_for(world.before.wait(), 60)
        await test.kill()
        await handle.cancel("enough")
        await test.restart()
        handle = test.rt.handle(handle.id)
        with pytest.raises(cb.RunCancelled):
            await handle.result(timeout=30)
        await books.check(test, [handle.id])
