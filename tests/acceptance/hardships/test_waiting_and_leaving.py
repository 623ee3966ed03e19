"""Whoever leaves while a model call waits for something leaves nothing behind: no hold, no place, no half entry."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.domain.kinds import ErrorKind
from callboard.domain.retry import Retry
from callboard.models import ModelRequest
from callboard.resilience import BreakerRules
from callboard.resilience.limiter import Rate
from callboard.testing import Fault, ScriptedModel, TestRuntime, runtime
from tests.acceptance.hardships import books

WAITS = ["budget", "rate", "place", "back-off", "breaker", "stream"]


class Queue:
    """One call is in the way of the next, in one of several ways."""

    def __init__(self, what: str) -> None:
        self.free = asyncio.Event()
        self.calls = 0
        self.app = app = cb.App("queue")
        app.budget("tenant", usd="5.00")
        faults: list[Fault] = []
        policy: dict[str, Any] = {"breaker": None}
        if what == "budget":
            app.budget("agent", "slow", calls=2)
            app.budget("agent", "quick", calls=1)
            app.budget("flow", "both", calls=1)
        if what == "rate":
            policy |= {"requests": Rate(1, 3600.0), "patience": 0.05}
        if what == "place":
            policy |= {"concurrency": 1, "patience": 0.05}
        if what == "back-off":
            faults = [Fault(ErrorKind.OVERLOADED, attempts=9, retry_after=900.0)]
            policy |= {"retry": Retry(attempts=5, first=900.0, longest=2000.0)}
        if what == "breaker":
            faults = [Fault(ErrorKind.UPSTREAM_DOWN, attempts=9)]
            policy = {"breaker": BreakerRules(failures=1, open_for=600.0), "retry": Retry(attempts=5, first=900.0)}
        app.upstream("m", **policy)
        model = ScriptedModel(self.answer, name="m", price=(1_000_000, 1_000_000), faults=faults)
        slow = app.agent("slow", model=model, max_output_tokens=100)
        quick = app.agent("quick", model=model, max_output_tokens=100)

        @app.flow
        async def both(ctx: cb.Context, seconds: float) -> Any:
            async def second() -> str:
                await ctx.sleep(0.5)
                return str(await quick.run(ctx, "second"))

            async def first() -> str:
                return str(await slow.run(ctx, "first"))

            if seconds:
                got = await ctx.attempt(ctx.timeout(seconds, ctx.gather(first(), second())))
                return str(type(got).__name__)
            return await ctx.gather(first(), second())

        self.hang = what in ("budget", "place", "stream")

    async def answer(self, request: ModelRequest) -> str:
        self.calls += 1
        if self.hang:
            await self.free.wait()
        return "yes"


async def begin(test: TestRuntime, seconds: float) -> cb.RunHandle:
    handle = await test.start("both", seconds)
    await asyncio.sleep(0.02)
    test.clock.set(test.clock.now() + 1.0)
    await asyncio.sleep(0.15)
    return handle


@pytest.mark.parametrize("what", WAITS)
@pytest.mark.parametrize("dies", [False, True])
async def test_a_cancel_while_a_call_waits_leaves_nothing_behind(what: str, dies: bool, tmp_path: Path) -> None:
    queue = Queue(what)
    async with runtime(queue.app, tmp_path / "x.db") as test:
        handle = await begin(test, 0.0)
        if dies:
            await test.kill()
            await handle.cancel("enough")
            await test.restart()
            handle = test.rt.handle(handle.id)
        else:
            await handle.cancel("enough")
        with pytest.raises(cb.RunCancelled):
            await handle.result(timeout=30)
        await books.check(test, [handle.id])
        await free_again(queue, test, what)


@pytest.mark.parametrize("what", WAITS)
async def test_a_time_limit_while_a_call_waits_leaves_nothing_behind(what: str, tmp_path: Path) -> None:
    queue = Queue(what)
    async with runtime(queue.app, tmp_path / "x.db") as test:
        handle = await begin(test, 60.0)
        test.clock.set(test.clock.now() + 61.0)
        assert await handle.result(timeout=30) == "Failed"
        await books.check(test, [handle.id])
        await free_again(queue, test, what)


async def free_again(queue: Queue, test: TestRuntime, what: str) -> None:
    """The place that it had is free for others."""
    if what == "place":
        queue.free.set()
        assert await asyncio.wait_for(test.run("quick", "third"), 60) == "yes"
