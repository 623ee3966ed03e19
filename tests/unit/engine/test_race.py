"""A race ends with its first branch; who won is journaled, and only the winner is replayed."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.event import EventKind
from callboard.testing import WindingClock, runtime, survives_kills
from callboard.testing.crash import Dying
from tests.unit.engine.play import Counter, Gate, die_and_return, failure, kinds, story


async def test_the_first_to_end_wins_and_the_others_are_cancelled() -> None:
    app = cb.App("race")
    slow, fast = Gate("slow"), Gate("fast")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.race(ctx.step(slow.enter, name="slow"), ctx.step(fast.enter, name="fast"))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await slow.reached.wait()
        fast.opened.set()
        assert await handle.result(timeout=30) == [1, "fast"]
        assert await kinds(test, handle, "0.0/0:slow") == [EventKind.CANCELLED]
        assert await kinds(test, handle, "0:race") == [EventKind.DONE]


async def test_a_race_goes_on_after_it_has_parked() -> None:
    app = cb.App("race")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.race(ctx.wait("word"), ctx.sleep(100))

    async with runtime(app) as test:
        early, late = await test.start(flow), await test.start(flow)
        await test.settle()
        assert await early.status() is cb.RunStatus.WAITING
        await early.signal("word", "yes")
        await test.settle()
        assert await early.result(timeout=30) == [0, "yes"]
        await test.wind(101)
        assert await late.result(timeout=30) == [1, None]


async def test_a_race_goes_on_after_its_worker_died() -> None:
    app, counter, gate = cb.App("race"), Counter(), Gate("slow")

    async def branch(ctx: cb.Context) -> Any:
        await ctx.step(counter.count)
        return await ctx.step(gate.enter)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.race(branch(ctx), ctx.wait("never"))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == [0, "slow"]
    assert counter.calls == 1


async def test_a_replay_drives_the_winner_only() -> None:
    app, driven = cb.App("race"), []

    async def branch(ctx: cb.Context, name: str, seconds: float) -> str:
        driven.append(name)
        await ctx.sleep(seconds)
        return name

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        won = await ctx.race(branch(ctx, "tortoise", 50), branch(ctx, "hare", 5))
        driven.append("-")
        await ctx.sleep(10)
        return won

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(100)
        assert await handle.result(timeout=30) == [1, "hare"]
    assert driven[-2:] == ["hare", "-"]


async def test_of_several_that_have_ended_the_lowest_wins() -> None:
    app = cb.App("race")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.race(ctx.wait("never"), ctx.sleep(5), ctx.sleep(5))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(6)
        assert await handle.result(timeout=30) == [1, None]


async def test_the_failure_of_the_winner_is_the_outcome_of_the_race() -> None:
    app, caught = cb.App("race"), []

    async def broken() -> None:
        raise ValueError("first")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        try:
            await ctx.race(ctx.wait("never"), ctx.step(broken))
        except cb.StepFailed as failed:
            caught.append((str(failed), failed.path))
        await ctx.sleep(1)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(2)
        await handle.result(timeout=30)
    assert caught == [("broken raised ValueError: first", "0.1/0:broken")] * 2


async def test_a_once_call_in_flight_in_a_loser_settles_before_the_race_ends() -> None:
    app, gate = cb.App("race"), Gate("charged")

    @app.tool
    async def charge() -> str:
        return str(await gate.enter())

    async def loser(ctx: cb.Context) -> Any:
        return await charge.call(ctx)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.race(loser(ctx), ctx.wait("word"))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await handle.signal("word", "stop")
        await asyncio.sleep(0.1)
        assert not (await handle.status()).ended
        gate.opened.set()
        # It settled, and a branch that has come to its end by itself has not lost.
        assert await handle.result(timeout=30) in ([1, "stop"], [0, "charged"])
        assert await kinds(test, handle, "0.0/0:charge") == [EventKind.INTENT, EventKind.DONE]
    assert gate.entered == 1


async def test_a_loser_may_clean_up() -> None:
    app, counter = cb.App("race"), Counter()

    async def tidy(ctx: cb.Context) -> None:
        try:
            await ctx.wait("never")
        except cb.Cancelled:
            await ctx.step(counter.count, name="tidy")
            raise

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        won = await ctx.race(tidy(ctx), ctx.sleep(5))
        await ctx.sleep(5)
        return won

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(20)
        assert await handle.result(timeout=30) == [1, None]
    assert counter.calls == 1


async def test_a_race_of_nothing_is_refused() -> None:
    app = cb.App("race")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.race()

    async with runtime(app) as test:
        error = await failure(await test.start(flow))
    assert "race() was given nothing to run" in str(error)


async def test_a_race_in_a_gather_and_a_gather_in_a_race() -> None:
    app = cb.App("race")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.gather(
            ctx.race(ctx.sleep(50), ctx.gather(ctx.sleep(5), ctx.wait("word"))),
            ctx.race(ctx.sleep(20), ctx.wait("never")),
        )

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(10)
        await handle.signal("word", "yes")
        await test.wind(60)
        assert await handle.result(timeout=30) == [[1, [None, "yes"]], [0, None]]


@pytest.mark.parametrize("winner", [0, 1])
async def test_a_race_survives_a_death_at_every_commit(winner: int) -> None:
    app = cb.App("race")

    async def one() -> int:
        return 1

    async def quick(ctx: cb.Context) -> Any:
        return await ctx.gather(ctx.step(one), ctx.gather(ctx.step(one)))

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        work = [quick(ctx), ctx.wait("never")]
        return [await ctx.race(*(work if winner == 0 else reversed(work))), await ctx.step(one)]

    def check(outcome: Any) -> None:
        assert outcome == [[winner, [1, [1]]], 1]

    assert await survives_kills(app, flow, check=check) >= 4


async def test_a_death_between_the_cancel_of_a_loser_and_the_record_of_the_winner_changes_nothing(
    tmp_path: Any,
) -> None:
    app, clock = cb.App("race"), WindingClock()

    async def winner(ctx: cb.Context) -> str:
        await ctx.sleep(5)
        await ctx.gather(ctx.now(), ctx.gather(ctx.now()))
        return "won"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        try:
            return await ctx.race(ctx.wait("never"), winner(ctx))
        except cb.Cancelled:
            return "cancelled"

    for commits in range(1, 40):
        path, dying = tmp_path / f"{commits}.db", Dying(None)
        async with runtime(app, path, clock=clock) as test:
            handle = await test.start(flow)
            await test.settle()
        async with runtime(app, path, clock=clock, fault=dying) as test:
            dying._left = dying.commits + commits
            clock.set(clock.now() + 6)
            while not dying.dead and "done 0:race" not in await story(test, handle):
                await asyncio.sleep(0.002)
            await test.kill()
            if not dying.dead:
                return  # it got to its end before it died: every point has been tried
        async with runtime(app, path, clock=clock) as test:
            assert await test.rt.handle(handle.id).result(timeout=30) == [1, "won"], commits
