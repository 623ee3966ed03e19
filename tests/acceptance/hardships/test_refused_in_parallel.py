"""A budget with room for some of the branches: so many call, the rest are told, and it stays so whatever happens."""

from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.domain.budget import Amount, Bound
from callboard.domain.errors import Conflict
from callboard.domain.event import EventKind
from callboard.store.budgets import Limit
from callboard.testing import ScriptedModel, runtime
from tests.acceptance.hardships import books
from tests.unit.engine.play import requeue


async def note() -> None:
    """A place to fork at."""


class Panel:
    """Five agents side by side, and a budget."""

    def __init__(self, latency: float, **budget: Any) -> None:
        self.calls = 0
        self.app = cb.App("panel")
        self.app.budget("tenant", usd="5.00")
        self.app.budget("run", **budget)
        agents = [
            self.app.agent(f"agent{n}", model=ScriptedModel(self.answer, latency=latency, price=(1_000_000, 1_000_000)),
                max_output_tokens=100) for n in range(5)
        ]  # fmt: skip

        @self.app.flow
        async def panel(ctx: cb.Context, wait: float) -> list[str]:
            async def one(agent: cb.Agent) -> str:
                try:
                    return str(await agent.run(ctx, "go"))
                except cb.LimitReached as limit:
                    return limit.reason

            await ctx.step(note)
            found = await ctx.gather(*(one(agent) for agent in agents))
            await ctx.step(note)
            await ctx.sleep(wait)
            return sorted(found)

        @self.app.flow
        async def strict(ctx: cb.Context, _: Any) -> list[str]:
            return list(await ctx.gather(*(agent.run(ctx, "go") for agent in agents)))

    def answer(self, request: Any) -> str:
        self.calls += 1
        return "yes"


@pytest.mark.parametrize("latency", [0.0, 0.01])
@pytest.mark.parametrize("place", ["memory", "file"])
async def test_three_of_five_branches_call_and_two_are_told(place: str, latency: float, tmp_path: Path) -> None:
    panel = Panel(latency, calls=3)
    async with runtime(panel.app, None if place == "memory" else tmp_path / "x.db") as test:
        handle = await test.start("panel", 1000.0)
        await test.wind(5)
        await test.settle()
        for _ in range(20):
            await test.wind(1)
        assert panel.calls == 3
        handle = await books.kill_and_go_on(test, handle)
        await test.wind(2000)
        assert await handle.result(timeout=30) == ["budget", "budget", "yes", "yes", "yes"]
        found = await books.journal(test, handle.id)
        outcomes = [e.kind for e in found if e.path.endswith(":model") and e.kind in (EventKind.DONE, EventKind.FAILED)]
        assert sorted(outcomes) == sorted([EventKind.DONE] * 3 + [EventKind.FAILED] * 2)
        assert panel.calls == 3
        await books.check(test, [handle.id])


async def test_a_fork_from_any_event_of_it_ends_the_same_way_on_its_own_account(tmp_path: Path) -> None:
    panel = Panel(0.0, calls=3)
    async with runtime(panel.app, tmp_path / "x.db") as test:
        handle = await test.start("panel", 0.0)
        for _ in range(10):
            await test.wind(1)
        want = await handle.result(timeout=30)
        assert want == ["budget", "budget", "yes", "yes", "yes"]
        last = len(await books.journal(test, handle.id)) - 1
        runs = [handle.id]
        for seq in range(1, last):
            try:
                fork = await test.rt.commands.fork("default", handle.id, seq)
            except Conflict:  # an effect is open there
                continue
            for _ in range(10):
                await test.wind(1)
            assert await test.rt.handle(fork.id).result(timeout=30) == want, seq
            runs.append(fork.id)
        assert len(runs) > 2
        await test.rt.store.budgets.sweep()
        assert (await books.balance(test)).held == Amount()


async def test_a_requeue_with_more_room_makes_only_the_calls_that_were_refused(tmp_path: Path) -> None:
    panel = Panel(0.0, calls=3)
    async with runtime(panel.app, tmp_path / "x.db") as test:
        handle = await test.start("strict")
        for _ in range(10):
            await test.wind(1)
        with pytest.raises(cb.RunFailed) as caught:
            await handle.result(timeout=30)
        assert isinstance(caught.value.error, cb.LimitReached)
        assert caught.value.error.reason == "budget"
        assert panel.calls == 3
        await requeue(test, handle)  # as little room as before
        for _ in range(10):
            await test.wind(1)
        with pytest.raises(cb.RunFailed):
            await handle.result(timeout=30)
        assert panel.calls == 3
        await test.rt.store.budgets.put(
            Limit(tenant="default", scope="run", name="*", period="ever", bound=Bound(calls=10), by="anna", at=1.0)
        )
        await test.kill()
        await test.restart()
        handle = test.rt.handle(handle.id)
        for _ in range(3):
            await requeue(test, handle)
            for _ in range(10):
                await test.wind(1)
            if (await handle.status()) is cb.RunStatus.SUCCEEDED:
                break
        assert await handle.result(timeout=30) == ["yes"] * 5
        assert panel.calls == 5
        await books.check(test, [handle.id])
