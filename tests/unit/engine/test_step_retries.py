"""Retries are journaled with their back-off, and a run that dies in the middle of one waits only for the rest."""

import itertools
from pathlib import Path
from typing import Any

import callboard as cb
from callboard.domain.event import EventKind
from callboard.testing import WindingClock, runtime
from tests.unit.engine.play import die_and_return, events, failure, kinds

STEADY = cb.Retry(attempts=3, first=100.0, factor=1.0, longest=1_000.0)


def failing(times: int) -> Any:
    """A step that fails so often, then returns how often it was called."""
    calls = itertools.count(1)

    async def flaky() -> int:
        call = next(calls)
        if call <= times:
            raise ConnectionError(f"call {call}")
        return call

    return flaky


async def test_a_step_is_repeated_until_it_succeeds() -> None:
    app, flaky = cb.App("retries"), failing(2)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        return await ctx.step(flaky, retry=STEADY)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(300)
        assert await handle.result(timeout=30) == 3
        assert await kinds(test, handle, "0:flaky") == [EventKind.RETRY, EventKind.RETRY, EventKind.DONE]


async def test_the_last_failure_is_the_one_that_the_flow_gets() -> None:
    app, flaky = cb.App("retries"), failing(5)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        return await ctx.step(flaky, retry=STEADY)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(300)
        error = await failure(handle)
        assert isinstance(error, cb.StepFailed)
        assert "call 3" in str(error)


async def test_the_journal_says_when_the_next_attempt_is_due_and_why_the_last_one_failed() -> None:
    app, flaky = cb.App("retries"), failing(1)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        return await ctx.step(flaky, retry=STEADY)

    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(flow)
        await test.settle()
        assert await handle.status() is cb.RunStatus.WAITING
        retry = (await events(test, handle))[-1].value()
        assert retry["attempt"] == 1
        assert 50 <= retry["due"] - begun <= 100
        assert "call 1" in retry["error"]["message"]


async def test_a_death_in_the_middle_of_a_back_off_keeps_count_and_due_time() -> None:
    app, flaky = cb.App("retries"), failing(2)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        return await ctx.step(flaky, retry=STEADY)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        due = (await events(test, handle))[-1].value()["due"]
        handle = await die_and_return(test, handle)
        await test.wind(due - test.clock.now() - 1)
        assert [e.kind for e in await events(test, handle)] == [EventKind.STARTED, EventKind.RETRY]
        await test.wind(2)
        assert (await events(test, handle))[-1].value()["attempt"] == 2
        await test.wind(100)
        assert await handle.result(timeout=30) == 3


async def test_a_retried_step_is_not_taken_for_another_one_after_a_deploy(tmp_path: Path) -> None:
    flaky = failing(5)

    def version(name: str) -> cb.App:
        app = cb.App("retries")

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> int:
            return await ctx.step(flaky, name=name, retry=STEADY)

        return app

    clock = WindingClock()
    async with runtime(version("charge"), tmp_path / "store.db", clock=clock) as test:
        handle = await test.start("flow")
        await test.settle()
    async with runtime(version("refund"), tmp_path / "store.db", clock=clock) as test:
        await test.wind(150)
        run = await test.rt.handle(handle.id).run()
    assert run.status is cb.RunStatus.BLOCKED
    assert run.error is not None and run.error.detail == {
        "recorded": "the effect 0:charge",
        "requested": "the effect 0:refund",
    }
