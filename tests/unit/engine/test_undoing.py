"""What a saga undoes is tried again with one key, asks a person when it fails for good, and is stopped by nobody."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import CompensationFailed
from callboard.domain.event import EventKind
from callboard.testing import runtime
from tests.unit.engine.play import Gate, decide, die_and_return, events, failure, open_question, requeue
from tests.unit.engine.saga_world import AT_ONCE, World, app_of


async def test_a_compensation_is_tried_again_with_the_same_key_then_a_person_is_asked() -> None:
    world = World(b=3)

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga(retry=AT_ONCE) as saga:
            await world.both(saga, "a")
            await world.both(saga, "b")
            await ctx.step(world.fail)

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        question = await open_question(test, handle)
        assert question.kind == "settle"
        assert question.proposal["approve"] == "try it again"
        assert world.log == ["a", "b", "cannot undo b", "cannot undo b", "undo a", "cannot undo b"]
        handle = await die_and_return(test, handle)
        await decide(test, handle, "approved")
        assert isinstance(await failure(handle), cb.StepFailed)
        intents = [e.value() for e in await events(test, handle) if e.kind is EventKind.INTENT and ":undo" in e.path]
    assert world.log[6:] == ["undo b"]
    assert len({intent["key"] for intent in intents if intent["asked"]["arguments"] == ["b"]}) == 1


@pytest.mark.parametrize("attempts", [1, 3])
async def test_each_yes_of_a_person_is_one_more_round(attempts: int) -> None:
    world = World(a=3 * attempts + 1)

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga(retry=cb.Retry(attempts=attempts, first=0.0)) as saga:
            await world.both(saga, "a")
            await ctx.step(world.fail)

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        for rounds in range(1, 4):
            await open_question(test, handle)
            assert world.log.count("cannot undo a") == rounds * attempts + 1
            handle = await die_and_return(test, handle)
            await decide(test, handle, "approved")
        await failure(handle)
    assert world.log[-1] == "undo a"


async def test_what_a_person_undid_by_hand_counts_as_undone() -> None:
    world = World(a=100)

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga(retry=AT_ONCE) as saga:
            await world.both(saga, "a")
            await ctx.step(world.fail)

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        await decide(test, handle, "edited")
        assert isinstance(await failure(handle), cb.StepFailed)


async def test_what_is_given_up_ends_the_run_after_the_others_were_undone_and_a_requeue_tries_it_again() -> None:
    world = World(b=3)

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga(retry=AT_ONCE) as saga:
            await world.both(saga, "a")
            await world.both(saga, "b")
            await ctx.step(world.fail)

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        await decide(test, handle, "rejected", note="let it be")
        error = await failure(handle)
        assert isinstance(error, CompensationFailed)
        assert [left["arguments"] for left in error.detail["left"]] == [["b"]]
        assert "broken" in error.detail["because"]
        assert world.log[2:] == ["cannot undo b", "cannot undo b", "undo a", "cannot undo b"]
        await requeue(test, handle)
        await test.settle()
        assert isinstance(await failure(handle), cb.StepFailed)
    assert world.log[6:] == ["undo b"]


async def test_a_requeue_of_a_run_that_was_undone_does_not_go_on_from_where_it_failed() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await world.both(saga, "a")
            await ctx.step(world.fail)

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        first = await failure(handle)
        await requeue(test, handle)
        await test.settle()
        assert str(await failure(handle)) == str(first)
    assert world.log == ["a", "undo a"]


async def test_a_cancel_does_not_stop_what_is_being_undone() -> None:
    world, gate = World(), Gate()

    async def undo_slowly() -> None:
        await gate.enter()
        world.log.append("undo slowly")

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await world.both(saga, "a")
            saga.undo("slowly", undo_slowly)
            await ctx.step(world.fail)

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        await gate.reached.wait()
        await handle.cancel()
        await asyncio.sleep(0.05)
        gate.opened.set()
        assert isinstance(await failure(handle), cb.StepFailed)
    assert world.log == ["a", "undo slowly", "undo a"]


async def test_a_person_can_be_waited_for_in_a_run_that_is_being_cancelled() -> None:
    world = World(a=3)

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga(retry=AT_ONCE) as saga:
            await world.both(saga, "a")
            await ctx.wait("never")

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        await test.settle()
        await handle.cancel()
        await open_question(test, handle)
        handle = await die_and_return(test, handle)
        assert await handle.status() == "waiting"
        await decide(test, handle, "approved")
        with pytest.raises(cb.RunCancelled):
            await handle.result(timeout=30)
    assert world.log[-1] == "undo a"
