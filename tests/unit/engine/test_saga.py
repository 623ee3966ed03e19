"""A saga undoes what was done, in reverse order, each once, when a failure or a cancel leaves its block."""

import contextlib
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import FlowMisuse, InputInvalid
from callboard.settings import EngineSettings
from callboard.testing import runtime
from tests.unit.engine.play import Gate, die_and_return, failure
from tests.unit.engine.saga_world import AT_ONCE, World, app_of, run


async def test_a_block_that_ends_well_undoes_nothing() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> str:
        async with ctx.saga() as saga:
            return await world.both(saga, "a")

    app = app_of(flow)
    async with runtime(app) as test:
        assert await test.run(next(iter(app.flows()))) == "A"
    assert world.log == ["a"]


async def test_what_was_done_is_undone_in_reverse_order_and_the_failure_goes_on() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await world.both(saga, "a")
            await world.both(saga, "b")
            saga.undo("c", world.undo, "c")
            await ctx.step(world.fail)

    error, journal = await run(flow)
    assert isinstance(error, cb.StepFailed)
    assert world.log == ["a", "b", "undo c", "undo b", "undo a"]
    assert world.told == [None, "B", "A"]
    assert [line for line in journal if line.startswith("done")][-3:] == [
        "done 3:undo c",
        "done 4:undo do",
        "done 5:undo do",
    ]


async def test_an_error_of_the_flow_itself_undoes_as_well() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await world.both(saga, "a")
            raise KeyError("oops")

    error, _ = await run(flow)
    assert error.code == "flow_failed"
    assert world.log == ["a", "undo a"]


async def test_a_step_that_failed_itself_is_in_doubt_and_undone_without_a_result() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await saga.step(world.fail, lambda: world.log.append("undo fail"))

    await run(flow)
    assert world.log == ["undo fail"]


async def test_what_was_surely_not_made_is_not_undone() -> None:
    world = World()

    async def refuse() -> None:
        raise cb.ToolFailed("not made", detail={"made": False})

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await world.both(saga, "a")
            await saga.step(refuse, lambda: world.log.append("undo nothing"))

    await run(flow)
    assert world.log == ["a", "undo a"]


async def test_a_call_not_made_after_one_that_was_in_doubt_is_undone() -> None:
    world = World()
    calls: list[int] = []

    async def refuse() -> None:
        calls.append(1)
        raise cb.ToolFailed("?", detail={} if len(calls) == 1 else {"made": False})

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await saga.step(refuse, lambda: world.log.append("undo"), retry=AT_ONCE)

    await run(flow)
    assert world.log == ["undo"]


async def test_parallel_branches_belong_to_it_and_are_undone_by_their_places() -> None:
    world, slow = World(), Gate()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:

            async def late() -> None:
                await ctx.step(slow.enter)
                await world.both(saga, "first branch")

            async def early() -> None:
                await world.both(saga, "second branch")
                slow.opened.set()

            await ctx.gather(late(), early())
            await ctx.step(world.fail)

    await run(flow)
    assert world.log == ["second branch", "first branch", "undo second branch", "undo first branch"]


async def test_an_inner_saga_that_ended_well_hands_over_to_the_outer_one() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as outer:
            await world.both(outer, "a")
            async with ctx.saga() as inner:
                await world.both(inner, "b")
            await world.both(outer, "c")
            await ctx.step(world.fail)

    await run(flow)
    assert world.log == ["a", "b", "c", "undo c", "undo b", "undo a"]


async def test_an_inner_saga_that_failed_undoes_its_own_and_the_flow_may_go_on() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as outer:
            await world.both(outer, "a")
            try:
                async with ctx.saga() as inner:
                    await world.both(inner, "b")
                    await ctx.step(world.fail)
            except cb.StepFailed:
                pass
            await world.both(outer, "c")

    app = app_of(flow)
    async with runtime(app) as test:
        await test.run(next(iter(app.flows())))
    assert world.log == ["a", "b", "undo b", "c"]


async def test_registrations_at_one_place_have_keys_of_their_own() -> None:
    keys: list[str] = []

    async def note(key: str) -> None:
        keys.append(key)

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as outer:
            outer.undo("x", note)
            async with ctx.saga() as inner:
                inner.undo("y", note)
                inner.undo("z", note)
            await ctx.step(World().fail)

    await run(flow)
    assert len(keys) == len(set(keys)) == 3


async def test_a_cancel_undoes_and_the_run_is_cancelled() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await world.both(saga, "a")
            await ctx.wait("never")

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        await test.settle()
        await handle.cancel()
        with pytest.raises(cb.RunCancelled):
            await handle.result(timeout=30)
    assert world.log == ["a", "undo a"]


async def test_a_call_in_flight_when_it_is_cancelled_is_undone_and_one_not_begun_is_not() -> None:
    world, gate = World(), Gate()

    async def between(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await ctx.gather(ctx.wait("never"), saga.step(gate.enter, lambda: world.log.append("undo in flight")))

    async def before(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await ctx.timeout(0, saga.step(gate.enter, lambda: world.log.append("undo what never began")))

    app = cb.App("saga")
    ours = app.flow(between)
    async with runtime(app) as test:
        handle = await test.start(ours)
        await gate.reached.wait()
        await handle.cancel()
        with pytest.raises(cb.RunCancelled):
            await handle.result(timeout=30)
    assert world.log == ["undo in flight"]
    world.log.clear()
    assert isinstance((await run(before))[0], cb.TimedOut)
    assert world.log == []
    assert gate.entered == 1


async def test_parking_undoes_nothing_and_a_replay_knows_what_is_to_be_undone() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await world.both(saga, "a")
            await ctx.sleep(60)
            await ctx.step(world.fail)

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        await test.settle()
        assert world.log == ["a"]
        handle = await die_and_return(test, handle)
        await test.wind(seconds=60)
        await failure(handle)
    assert world.log == ["a", "undo a"]


@pytest.mark.parametrize("how", ["race", "timeout"])
async def test_what_a_branch_did_that_lost_is_undone_also_after_a_crash(how: str) -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:

            async def loser() -> None:
                await world.both(saga, "a")
                await ctx.gather(world.both(saga, "b"), ctx.wait("never"))

            if how == "race":
                await ctx.race(loser(), ctx.sleep(60))
            else:
                with contextlib.suppress(cb.TimedOut):
                    await ctx.timeout(60, loser())
            await ctx.sleep(60)
            await ctx.step(world.fail)

    app = app_of(flow)
    async with runtime(app) as test:
        handle = await test.start(next(iter(app.flows())))
        await test.wind(seconds=61)
        handle = await die_and_return(test, handle)
        await test.wind(seconds=60)
        assert isinstance(await failure(handle), cb.StepFailed)
    assert world.log == ["a", "b", "undo b", "undo a"]


async def test_a_run_that_reached_its_limit_of_events_can_still_undo() -> None:
    world = World()

    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            await world.both(saga, "a")
            while True:
                await ctx.now()

    app = app_of(flow)
    async with runtime(app, settings=EngineSettings(effects=20, sweep=0.05)) as test:
        handle = await test.start(next(iter(app.flows())))
        assert isinstance(await failure(handle), cb.LimitReached)
    assert world.log == ["a", "undo a"]


async def test_a_flow_cannot_begin_anew_within_a_saga() -> None:
    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga():
            ctx.continue_as_new(1)

    error, _ = await run(flow)
    assert "leave the `async with ctx.saga()` block first" in str(error)


@pytest.mark.parametrize(
    ("misuse", "words"),
    [
        (lambda saga: saga.undo("x", lambda a, b: None, 1), "cannot be called with 1 arguments"),
        (lambda saga: saga.undo("x", print, object()), "cannot be stored"),
    ],
)
async def test_what_cannot_be_called_later_is_refused_at_once(misuse: Any, words: str) -> None:
    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            with pytest.raises(InputInvalid, match=words):
                misuse(saga)

    app = app_of(flow)
    async with runtime(app) as test:
        await test.run(next(iter(app.flows())))


async def test_a_closed_saga_takes_nothing_more() -> None:
    async def flow(ctx: cb.Context, input: Any) -> None:
        async with ctx.saga() as saga:
            pass
        with pytest.raises(FlowMisuse, match="not open"):
            saga.undo("x", print)

    app = app_of(flow)
    async with runtime(app) as test:
        await test.run(next(iter(app.flows())))
