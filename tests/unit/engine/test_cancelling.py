"""A cancel is the outcome of whatever is pending; what the flow does about it is journaled like everything else."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import Conflict
from callboard.domain.event import EventKind
from callboard.testing import WindingClock, runtime
from tests.unit.engine.play import Counter, Gate, die_and_return, kinds, story


async def cancelled_with(handle: cb.RunHandle) -> str:
    """The reason with which a run was cancelled."""
    with pytest.raises(cb.RunCancelled) as caught:
        await handle.result(timeout=30)
    return caught.value.why


async def test_a_step_in_flight_is_cancelled_and_the_journal_says_so() -> None:
    app, gate = cb.App("cancel"), Gate()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(gate.enter)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await handle.cancel("enough")
        assert await cancelled_with(handle) == "enough"
        assert await story(test, handle) == ["started", "cancelled 0:enter", "run cancelled"]


@pytest.mark.parametrize("reason", ['say "no"', "two\nlines", "Größe 𝄞", "", '"'])
async def test_the_reason_arrives_as_it_was_given(reason: str) -> None:
    app = cb.App("cancel")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.wait("never")

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel(reason)
        assert await cancelled_with(handle) == (reason or "cancelled")


async def test_a_parked_run_is_cancelled_where_it_waits() -> None:
    app = cb.App("cancel")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.sleep(1_000)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel("enough")
        assert await cancelled_with(handle) == "enough"
        assert await kinds(test, handle, "0:sleep") == [EventKind.INTENT, EventKind.CANCELLED]


async def test_a_run_that_nobody_has_claimed_yet_never_begins() -> None:
    app, counter = cb.App("cancel"), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await counter.count()

    async with runtime(app) as test:
        await test.kill()
        handle = await test.start(flow)
        await handle.cancel("too late")
        await test.restart()
        handle = test.rt.handle(handle.id)
        assert await cancelled_with(handle) == "too late"
        assert await story(test, handle) == ["started", "run cancelled"]
    assert counter.calls == 0


@pytest.mark.parametrize("form", ["except", "finally"])
async def test_clean_up_runs_once_and_replays(form: str) -> None:
    app, counter, gate = cb.App("cancel"), Counter(), Gate()

    async def clean_up(ctx: cb.Context) -> None:
        await ctx.step(counter.count, name="release")
        await ctx.step(gate.enter, name="tell")

    @app.flow
    async def excepting(ctx: cb.Context, _: Any) -> None:
        try:
            await ctx.wait("never")
        except cb.Cancelled:
            await clean_up(ctx)
            raise

    @app.flow
    async def ending(ctx: cb.Context, _: Any) -> None:
        try:
            await ctx.wait("never")
        finally:
            await clean_up(ctx)

    async with runtime(app) as test:
        handle = await test.start(excepting if form == "except" else ending)
        await test.settle()
        assert counter.calls == 0  # parking is no cancel
        await handle.cancel("enough")
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await cancelled_with(handle) == "enough"
        assert await kinds(test, handle, "1:release") == [EventKind.DONE]
    assert counter.calls == 1


async def test_clean_up_may_wait_for_days() -> None:
    app, counter = cb.App("cancel"), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        try:
            await ctx.wait("never")
        finally:
            await ctx.sleep(86_400)
            await ctx.step(counter.count)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel("enough")
        await test.wind(days=2)
        assert await cancelled_with(handle) == "enough"
    assert counter.calls == 1


async def test_a_flow_may_swallow_a_cancel_and_give_a_value() -> None:
    app = cb.App("cancel")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.wait("never")
        except cb.Cancelled:
            await ctx.sleep(10)
        return "kept"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel()
        await test.wind(11)
        assert await handle.result(timeout=30) == "kept"


async def test_a_second_cancel_does_not_disturb_the_clean_up() -> None:
    app, gate = cb.App("cancel"), Gate()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        try:
            await ctx.wait("never")
        finally:
            await ctx.step(gate.enter)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel("first")
        await gate.reached.wait()
        await handle.cancel("second")
        await asyncio.sleep(0.1)
        gate.opened.set()
        assert await cancelled_with(handle) == "first"
        with pytest.raises(Conflict, match="has ended"):
            await handle.cancel("third")
    assert gate.entered == 1


async def test_every_branch_of_a_gather_is_told_and_cleans_up() -> None:
    app, gate, cleaned = cb.App("cancel"), Gate(), list[str]()

    async def clean(name: str) -> None:
        cleaned.append(name)

    async def branch(ctx: cb.Context, name: str, work: Any) -> None:
        try:
            await work
        except cb.Cancelled:
            await ctx.step(clean, name)
            raise

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.gather(
            branch(ctx, "sleeps", ctx.sleep(1_000)),
            branch(ctx, "steps", ctx.step(gate.enter)),
            branch(ctx, "waits", ctx.wait("never")),
            branch(ctx, "gathers", ctx.gather(ctx.wait("never"), ctx.sleep(500))),
        )

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await handle.cancel("enough")
        assert await cancelled_with(handle) == "enough"
        told = [line for line in await story(test, handle) if line.startswith("cancelled")]
    assert sorted(cleaned) == ["gathers", "sleeps", "steps", "waits"]
    assert sorted(told) == [
        "cancelled 0.0/0:sleep",
        "cancelled 0.1/0:enter",
        "cancelled 0.2/0:wait never",
        "cancelled 0.3/0.0/0:wait never",
        "cancelled 0.3/0.1/0:sleep",
    ]


async def test_a_back_off_is_not_waited_for() -> None:
    app = cb.App("cancel")

    async def broken() -> None:
        raise ConnectionError

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(broken, retry=cb.Retry(first=1_000, longest=1_000))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel("enough")
        assert await cancelled_with(handle) == "enough"
        assert await kinds(test, handle, "0:broken") == [EventKind.RETRY, EventKind.CANCELLED]


async def test_a_once_call_in_flight_settles_before_the_run_is_cancelled() -> None:
    app, gate = cb.App("cancel"), Gate("charged")

    @app.tool
    async def charge() -> str:
        return str(await gate.enter())

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await charge.call(ctx)
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await handle.cancel("enough")
        await asyncio.sleep(0.1)
        assert await handle.status() is cb.RunStatus.RUNNING
        gate.opened.set()
        assert await cancelled_with(handle) == "enough"
        assert await kinds(test, handle, "0:charge") == [EventKind.INTENT, EventKind.DONE]
        assert await kinds(test, handle, "1:sleep") == [EventKind.CANCELLED]
    assert gate.entered == 1


async def test_a_blocked_run_can_be_cancelled(tmp_path: Any) -> None:
    def app(name: str) -> cb.App:
        app = cb.App("cancel")

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> None:
            await ctx.step(Counter().count, name=name)
            await ctx.sleep(100)

        return app

    clock = WindingClock()
    async with runtime(app("before"), tmp_path / "store.db", clock=clock) as test:
        run_id = (await test.start("flow")).id
        await test.settle()
    async with runtime(app("after"), tmp_path / "store.db", clock=clock) as test:
        handle = test.rt.handle(run_id)
        await test.wind(101)
        assert await handle.status() is cb.RunStatus.BLOCKED
        await handle.cancel("given up")
        assert await cancelled_with(handle) == "given up"


async def test_a_cancel_that_comes_with_the_worker_s_death_is_not_lost() -> None:
    app, gate = cb.App("cancel"), Gate()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(gate.enter)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await test.kill()
        await handle.cancel("enough")
        await test.restart()
        assert await cancelled_with(test.rt.handle(handle.id)) == "enough"
    assert gate.entered == 1


async def test_a_step_that_swallows_its_cancel_cannot_keep_the_run() -> None:
    app, gate = cb.App("cancel"), Gate()

    async def stubborn() -> str:
        try:
            return str(await gate.enter())
        except asyncio.CancelledError:
            return "still here"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(stubborn)
        await ctx.sleep(1_000)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await handle.cancel("enough")
        assert await cancelled_with(handle) == "enough"
        assert await kinds(test, handle, "0:stubborn") == [EventKind.DONE]
