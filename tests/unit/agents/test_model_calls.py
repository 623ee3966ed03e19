"""Model calls are repeated with a journaled back-off, and one whose answer was lost is charged in full."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.usage import Usage
from callboard.models import ModelRequest, RetryLater
from callboard.testing import TestRuntime, call, runtime
from tests.unit.agents.play import Fault, Recorder
from tests.unit.engine.play import Gate, die_and_return, events, failure, kinds

MODEL = "0/0.0/0:model"


async def intents(test: TestRuntime, handle: cb.RunHandle, path: str = MODEL) -> list[Usage]:
    """What each intent of a model call reserved."""
    found = [e.value() for e in await events(test, handle) if e.path == path and e.kind is EventKind.INTENT]
    return [Usage(*body["reserved"]) for body in found]


@pytest.mark.parametrize("kind", [ErrorKind.RATE_LIMITED, ErrorKind.UPSTREAM_DOWN, ErrorKind.TIMEOUT])
async def test_a_call_that_failed_for_now_is_repeated_with_a_journaled_back_off(kind: ErrorKind) -> None:
    app = cb.App("models")
    script = Recorder(["done"], faults=[Fault(kind, attempts=2)])
    agent = app.agent("agent", model=script.model)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await test.settle()
        assert await handle.status() is cb.RunStatus.WAITING
        handle = await die_and_return(test, handle)
        await test.wind(200)
        assert await handle.result(timeout=30) == "done"
        assert await kinds(test, handle, MODEL) == [
            EventKind.INTENT, EventKind.RETRY, EventKind.INTENT, EventKind.RETRY, EventKind.INTENT, EventKind.DONE
        ]  # fmt: skip
    assert script.turns == [(0, 1), (0, 2), (0, 3)]


async def test_the_provider_s_own_wish_to_wait_is_kept() -> None:
    app = cb.App("models")
    fault = Fault(ErrorKind.RATE_LIMITED, retry_after=500.0)
    agent = app.agent("agent", model=cb.ScriptedModel(["done"], faults=[fault]))
    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(agent, "go")
        await test.settle()
        assert (await handle.run()).wake_at == begun + 500
        await test.wind(501)
        assert await handle.result(timeout=30) == "done"


async def test_a_route_that_knows_when_to_come_back_is_waited_for() -> None:
    app = cb.App("models")

    def later(request: ModelRequest) -> Any:
        if request.attempt == 1:
            raise RetryLater(test.clock.now() + 900, "all providers are busy")
        return "done"

    agent = app.agent("agent", model=cb.ScriptedModel(later))
    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(agent, "go")
        await test.settle()
        assert (await handle.run()).wake_at == begun + 900
        await test.wind(901)
        assert await handle.result(timeout=30) == "done"


async def test_attempts_are_bounded() -> None:
    app = cb.App("models")
    script = Recorder(["done"], faults=[Fault(ErrorKind.UPSTREAM_DOWN, attempts=100)])
    agent = app.agent("agent", model=script.model)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await test.wind(1_000)
        error = await failure(handle)
    assert (error.code, error.kind) == ("model_failed", ErrorKind.UPSTREAM_DOWN)
    assert 1 < len(script.requests) < 10


@pytest.mark.parametrize("kind", [ErrorKind.UPSTREAM_REJECTED, ErrorKind.CONTEXT_TRUNCATED, ErrorKind.GUARDRAIL])
async def test_a_call_that_can_never_work_is_not_repeated(kind: ErrorKind) -> None:
    app = cb.App("models")
    script = Recorder(["done"], faults=[Fault(kind)])
    agent = app.agent("agent", model=script.model)
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert error.kind is kind
    assert len(script.requests) == 1


async def test_a_model_that_hangs_is_cut_off_at_its_time_limit() -> None:
    app = cb.App("models")

    async def hang(request: ModelRequest) -> Any:
        if request.attempt == 1:
            await asyncio.sleep(3_600)
        return "done"

    agent = app.agent("agent", model=cb.ScriptedModel(hang), model_timeout=0.05)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await asyncio.sleep(0.15)
        await test.wind(200)
        assert await handle.result(timeout=30) == "done"
        retry = next(e for e in await events(test, handle) if e.kind is EventKind.RETRY)
        assert retry.value()["error"]["kind"] == "timeout"


async def test_a_call_whose_answer_was_lost_is_charged_in_full_and_repeated_once() -> None:
    app, gate = cb.App("models"), Gate("done")
    script = Recorder(lambda r: gate.enter(), price=(1_000_000, 1_000_000))
    agent = app.agent("agent", model=script.model, max_output_tokens=50)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == "done"
        lost, _ = await intents(test, handle)
        assert lost.output_tokens == 50 and lost.input_tokens > 0
        answer = Usage(
            *next(e for e in await events(test, handle) if e.kind is EventKind.DONE).value()["result"]["usage"]
        )
        assert (await handle.run()).usage == lost + answer
    assert gate.entered == 2


async def test_each_lost_call_is_charged_once_however_often_workers_die() -> None:
    app, gate = cb.App("models"), Gate("done")
    agent = app.agent("agent", model=cb.ScriptedModel(lambda r: gate.enter()), max_output_tokens=50)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        for _ in range(2):
            await gate.reached.wait()
            gate.reached.clear()
            handle = await die_and_return(test, handle)
        await gate.reached.wait()
        gate.opened.set()
        await handle.result(timeout=30)
        reserved = await intents(test, handle)
        assert len(reserved) == 3
        answer = Usage(
            *next(e for e in await events(test, handle) if e.kind is EventKind.DONE).value()["result"]["usage"]
        )
        assert (await handle.run()).usage == reserved[0] + reserved[1] + answer


async def test_a_call_that_answered_is_charged_what_it_cost_and_nothing_reserved() -> None:
    app = cb.App("models")
    agent = app.agent("agent", model=cb.ScriptedModel(["done"], price=(1_000_000, 1_000_000)))
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await handle.result(timeout=30)
        assert (await handle.run()).usage == Usage(1, 1, 2)


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_a_call_that_was_cut_off_is_charged_in_full(how: str) -> None:
    """Its answer never came, and the provider will want its money all the same."""
    app, gate = cb.App("models"), Gate()
    agent = app.agent(
        "agent", model=cb.ScriptedModel(lambda r: gate.enter()), max_output_tokens=50, limits=cb.Limits(seconds=60)
    )
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await gate.reached.wait()
        if how == "cancelled":
            await handle.cancel("enough")
        else:
            test.clock.set(test.clock.now() + 61)
        with pytest.raises((cb.RunCancelled, cb.RunFailed)):
            await handle.result(timeout=30)
        (reserved,) = await intents(test, handle)
        assert (await handle.run()).usage == reserved


async def test_what_a_lost_call_cost_counts_against_the_limits_alike_live_and_replayed() -> None:
    """The first call is lost with its worker, its repeat is rate limited, the third succeeds."""
    app, gate, ends = cb.App("models"), Gate(), []
    calls: list[int] = []

    async def speak(request: ModelRequest) -> Any:
        calls.append(request.turn)
        if len(calls) == 1:
            await gate.enter()
        if len(calls) == 2:
            raise RetryLater(test.clock.now() + 10)
        return call("look") if request.turn == 0 else "done"

    @app.tool(effect="read")
    async def look() -> str:
        return "seen"

    agent = app.agent(
        "agent", model=cb.ScriptedModel(speak), tools=[look], max_output_tokens=5_000, limits=cb.Limits(tokens=4_000)
    )

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await agent.run(ctx, "go")
        except cb.LimitReached as limit:
            ends.append((limit.reason, limit.partial))
        await ctx.sleep(100)
        return "ended"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        await test.wind(200)
        assert await handle.status() is not cb.RunStatus.BLOCKED
        assert await handle.result(timeout=30) == "ended"
    assert ends[0] == ends[-1]
    assert ends[0][0] == "tokens"


async def test_a_lost_call_is_charged_also_when_its_repeat_would_break_a_limit() -> None:
    app, gate = cb.App("models"), Gate("done")
    agent = app.agent(
        "agent",
        model=cb.ScriptedModel(lambda r: gate.enter()),
        max_output_tokens=1_500,
        limits=cb.Limits(tokens=1_700),
    )
    app.budget("tenant", tokens=100_000)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        error = await failure(handle)
        assert (error.code, error.detail["reason"]) == ("limit_reached", "tokens")
        (lost,) = await intents(test, handle)
        assert (await handle.run()).usage == lost
        balance = (await test.rt.store.budgets.balances("default", ["tenant"]))["tenant"]
        assert (balance.used.tokens, balance.held.tokens) == (lost.tokens, 0)
    assert gate.entered == 1
