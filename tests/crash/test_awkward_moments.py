"""Branches that are cancelled, and processes that end, at the very moment that is worst for it; each made to happen."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import callboard as cb
from callboard.domain.run import RunStatus
from callboard.store.approvals import ApprovalStatus
from callboard.testing import TestRuntime, runtime
from tests.crash.holding import hold_intents
from tests.replay.journal_file import KeptRun
from tests.replay.resuming import resumed, state_of

app = cb.App("awkward")
CALLED: list[str] = []


async def quick() -> str:
    CALLED.append("quick")
    return "quick"


async def broken() -> None:
    raise RuntimeError("the clean-up fails")


@app.tool(effect="idempotent")
async def charge(order: str) -> str:
    """Charges."""
    CALLED.append("charge")
    return order


@app.flow
async def quick_or_asked(ctx: cb.Context, _: None) -> Any:
    return (await ctx.race(ctx.step(quick), ctx.ask("may I?")))[0]


@app.flow
async def quick_or_charged(ctx: cb.Context, _: None) -> Any:
    return (await ctx.race(ctx.step(quick), charge.call(ctx, order="A1")))[0]


@app.flow
async def unclean_loser(ctx: cb.Context, _: None) -> Any:
    async def loses() -> None:
        try:
            await ctx.wait("never")
        finally:
            await ctx.step(broken)

    return (await ctx.race(loses(), ctx.sleep(5)))[0]


@app.flow
async def limit_in_a_loser(ctx: cb.Context, _: None) -> str:
    await ctx.race(ctx.sleep(5), ctx.timeout(100, ctx.wait("never")))
    return await ctx.step(quick)


@app.flow
async def child_of_a_loser(ctx: cb.Context, _: None) -> str:
    async def spawns() -> None:
        await ctx.spawn(stays, None, mode="attached")
        await ctx.wait("never")

    await ctx.race(ctx.sleep(5), spawns())
    await ctx.sleep(5)
    return "done"


@app.flow
async def stays(ctx: cb.Context, _: None) -> None:
    await ctx.wait("never")


@pytest.fixture
async def test() -> AsyncIterator[TestRuntime]:
    CALLED.clear()
    async with runtime(app) as made:
        yield made


async def test_a_question_that_is_being_written_when_its_branch_loses_is_withdrawn(
    test: TestRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_intents(test, monkeypatch, "ask")
    handle = await test.start(quick_or_asked)
    assert await handle.result(timeout=30) == 0
    (asked,) = await test.rt.store.approvals.find("default")
    assert asked.status is ApprovalStatus.WITHDRAWN


async def test_a_call_whose_intent_is_being_written_when_its_branch_loses_is_not_made(
    test: TestRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_intents(test, monkeypatch, "charge")
    handle = await test.start(quick_or_charged)
    assert await handle.result(timeout=30) == 0
    assert CALLED == ["quick"]


async def test_a_run_can_be_forked_after_a_race_whose_loser_held_a_time_limit(test: TestRuntime) -> None:
    handle = await test.start(limit_in_a_loser)
    await test.wind(10)
    assert await handle.result() == "quick"
    race = next(e for e in await test.rt.store.journal.read("default", handle.id) if e.path == "0:race")
    forked = await test.rt.commands.fork("default", handle.id, race.seq)
    assert await test.rt.handle(forked.id).result(timeout=30) == "quick"


async def test_a_child_of_a_branch_that_lost_long_ago_ends_with_its_parent(test: TestRuntime) -> None:
    handle = await test.start(child_of_a_loser)
    await test.wind(20)
    assert await handle.result() == "done"
    (child,) = await test.rt.store.runs.find("default", parent=handle.id)
    assert child.status is RunStatus.CANCELLED


async def test_a_loser_whose_clean_up_failed_has_not_won_when_the_race_is_resumed(test: TestRuntime) -> None:
    handle = await test.start(unclean_loser)
    await test.wind(10)
    assert await handle.result() == 1
    events = await test.rt.store.journal.read("default", handle.id)
    race = next(e.seq for e in events if e.path == "0:race")
    kept = KeptRun(id=handle.id, flow="unclean_loser", version="1", status="")
    async with resumed(app, kept, events[:race]) as again:
        await again.settle()
        assert (await state_of(again, handle.id)).events[-1].value() == 1
