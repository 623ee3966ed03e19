"""What a model call may come to is reserved before it is made, and no limit is broken by one."""

import asyncio

import pytest

import callboard as cb
from callboard.domain.budget import Bound
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import assistant
from callboard.domain.usage import Usage
from callboard.models import FinishReason, ModelInfo, ModelRequest, ModelResponse, Price
from callboard.store.budgets import Limit
from callboard.testing import runtime
from tests.unit.agents.play import Recorder
from tests.unit.agents.routed import MODEL, answer, answering, failing, routed
from tests.unit.engine.play import events, failure


@pytest.mark.parametrize(
    ("kind", "after", "paid"),
    [
        (ErrorKind.TIMEOUT, 0, True),
        (ErrorKind.MALFORMED_OUTPUT, 0, True),
        (ErrorKind.RATE_LIMITED, 0, False),
        (ErrorKind.OVERLOADED, 0, False),
        (ErrorKind.OVERLOADED, 1, True),
        (ErrorKind.AUTHENTICATION, 0, False),
        (ErrorKind.UPSTREAM_DOWN, 0, True),
    ],
)
async def test_an_attempt_that_may_be_billed_is_charged_in_full(kind: ErrorKind, after: int, paid: bool) -> None:
    app, agent = routed(failing(kind, after_chunks=after), answering())
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await handle.result(timeout=30)
        first = next(e for e in await events(test, handle) if e.kind is EventKind.INTENT and e.path == MODEL)
        reserved = first.value()["reserved"]
        lost = Usage(*reserved) if paid else Usage()
        assert (await handle.run()).usage == lost + (await answer(test, handle)).usage


async def test_a_price_that_the_model_does_not_know_itself_is_put_on_the_answer() -> None:
    said = ModelResponse(assistant("done"), Usage(1_000, 100))
    script = Recorder([said], name="a")
    script.model.info = ModelInfo(name="a", upstream="a", price=Price(2_000_000, 8_000_000, source="test"))
    app = cb.App("route")
    agent = app.agent("agent", model=script.model, max_output_tokens=100)
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await handle.result(timeout=30)
        found = await answer(test, handle)
        assert found.usage.cost == 2_800
        assert found.price is not None
        assert found.price.source == "test"
        assert (await handle.run()).usage == found.usage


async def test_no_call_is_begun_that_could_break_the_agent_s_limit() -> None:
    price = Price(1_000_000, 10_000_000)
    script = Recorder(lambda request: "done", name="a")
    script.model.info = ModelInfo(name="a", upstream="a", price=price)
    app = cb.App("route")
    poor = app.agent("poor", model=script.model, limits=cb.Limits(usd="0.000600"))
    rich = app.agent("rich", model=script.model, limits=cb.Limits(usd="0.0100"), max_output_tokens=500)
    async with runtime(app) as test:
        error = await failure(await test.start(poor, "go"))
        assert (error.code, error.detail["reason"], error.detail["partial"]["turns"]) == ("limit_reached", "usd", 0)
        assert script.requests == []
        assert await test.run(rich, "go") == "done"
    assert script.requests[0].max_output_tokens == 500


async def test_an_answer_that_a_limit_cut_short_ends_the_turn_by_that_limit() -> None:
    def cut(request: ModelRequest) -> ModelResponse:
        return ModelResponse(assistant("half an ans"), Usage(40, request.max_output_tokens or 0), FinishReason.LENGTH)

    script = Recorder(cut, name="a")
    app = cb.App("route")
    agent = app.agent("agent", model=script.model, limits=cb.Limits(tokens=1_000))
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert (error.code, error.detail["reason"]) == ("limit_reached", "tokens")
    assert error.detail["partial"]["text"] == "half an ans"
    assert script.requests[0].max_output_tokens is not None
    assert script.requests[0].max_output_tokens < 1_000


async def test_a_budget_without_room_ends_the_turn_with_its_name_and_a_requeue_makes_the_call() -> None:
    script = Recorder(lambda request: "done", name="a")
    app = cb.App("route")
    app.budget("tenant", usd="0.000100")
    agent = app.agent("agent", model=script.model, max_output_tokens=100)
    script.model.info = ModelInfo(name="a", upstream="a", price=Price(1_000_000, 1_000_000))
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        error = await failure(handle)
        assert (error.code, error.detail["reason"]) == ("limit_reached", "budget")
        assert error.detail["partial"]["turns"] == 0
        assert (error.path, script.requests) == (MODEL, [])
        raised = Limit(tenant="default", scope="tenant", name="*", period="ever", bound=Bound(cost=1_000_000))
        await test.rt.store.budgets.put(raised)
        while raised not in test.rt.services.fleet.limits:  # a sweep reads what operators allow
            await asyncio.sleep(0.01)
        await test.rt.commands.requeue(handle.tenant, handle.id, "raised")
        await test.wind(1)
        assert await handle.result(timeout=30) == "done"


@pytest.mark.parametrize(
    "nothing",
    [
        ModelResponse(assistant(""), Usage(50, 7, 70)),
        ModelResponse(assistant(" \n"), Usage(50, 7, 70), FinishReason.TOOL_CALLS),
        ModelResponse(assistant("half"), Usage(50, 7, 70), FinishReason.ERROR),
    ],
    ids=["empty", "blank", "error"],
)
async def test_an_answer_with_nothing_in_it_is_asked_for_again_elsewhere_and_costs_what_it_said(
    nothing: ModelResponse,
) -> None:
    app, agent = routed(answering([nothing], name="a"), answering())
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        assert await handle.result(timeout=30) == "done"
        assert (await handle.run()).usage == nothing.usage + (await answer(test, handle)).usage


async def test_a_failure_says_once_what_its_attempts_were_charged() -> None:
    app, agent = routed(failing(ErrorKind.BUG), answering())
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        error = await failure(handle)
        first = next(e for e in await events(test, handle) if e.kind is EventKind.INTENT and e.path == MODEL)
        assert error.detail["charged"] == first.value()["reserved"]
