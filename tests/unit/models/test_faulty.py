"""A fault that was ordered comes out of a model's stream as a provider's adapter would say it."""

import asyncio
from typing import Any

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import user
from callboard.models import ModelRequest, ModelResponse, ScriptedModel, call
from callboard.models.faulty import struck
from callboard.models.info import info_of
from callboard.resilience.faults import Fault, FaultKind

REQUEST = ModelRequest(messages=(user("hello"),))


def fault(kind: FaultKind, **fields: Any) -> Fault:
    return Fault(kind, "openai", number=7, **fields)


async def parts_of(model: Any) -> list[Any]:
    return [part async for part in model.stream(REQUEST)]


def talker() -> ScriptedModel:
    return ScriptedModel(["one two three"], chunk=4)


@pytest.mark.parametrize(
    ("kind", "expected", "facts"),
    [
        (FaultKind.TIMEOUT, ErrorKind.TIMEOUT, {"sent": True}),
        (FaultKind.RATE_LIMITED, ErrorKind.RATE_LIMITED, {"status": 429, "sent": False, "retry_after": 3.0}),
        (FaultKind.ERROR, ErrorKind.UPSTREAM_DOWN, {"status": 500, "sent": True}),
        (FaultKind.UNAVAILABLE, ErrorKind.OVERLOADED, {"status": 503, "sent": True, "retry_after": 3.0}),
        (FaultKind.REFUSED, ErrorKind.UPSTREAM_DOWN, {"sent": False}),
        (FaultKind.MALFORMED, ErrorKind.MALFORMED_OUTPUT, {"sent": True}),
        (FaultKind.CUT, ErrorKind.MALFORMED_OUTPUT, {"sent": True}),
    ],
)
async def test_what_each_kind_is(kind: FaultKind, expected: ErrorKind, facts: dict[str, Any]) -> None:
    with pytest.raises(ModelFailed) as failed:
        await parts_of(struck(talker(), fault(kind, seconds=0.001, retry_after=3.0)))
    assert failed.value.kind is expected
    assert failed.value.detail == facts


@pytest.mark.parametrize(("after", "expected"), [(0, 1), (1, 1), (3, 3), (50, 4)])
async def test_a_cut_comes_after_so_many_pieces_and_never_with_an_answer(after: int, expected: int) -> None:
    came: list[Any] = []
    with pytest.raises(ModelFailed):
        async for part in struck(talker(), fault(FaultKind.CUT, after=after)).stream(REQUEST):
            came.append(part)
    assert len(came) == expected
    assert not any(isinstance(part, ModelResponse) for part in came)


async def test_a_stream_that_hangs_waits_for_the_caller_s_limit() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await parts_of(struck(talker(), fault(FaultKind.TIMEOUT, after=1)))


async def test_slow_tokens_come_whole() -> None:
    slow = await parts_of(struck(talker(), fault(FaultKind.SLOW, seconds=0.001)))
    assert slow == await parts_of(talker())


async def test_an_empty_answer_has_no_parts_and_costs_what_it_costs() -> None:
    (answer,) = await parts_of(struck(talker(), fault(FaultKind.EMPTY)))
    assert answer.message.parts == ()
    assert answer.usage.output_tokens > 0


async def test_an_answer_of_another_form_fits_no_schema() -> None:
    (text,) = await parts_of(struck(talker(), fault(FaultKind.SCHEMA)))
    assert text.message.text == '{"unexpected": true}'
    (asked,) = await parts_of(struck(ScriptedModel([call("order", id="A1")]), fault(FaultKind.SCHEMA)))
    assert [(each.name, each.arguments) for each in asked.message.tool_calls] == [("order", {"unexpected": True})]


def test_a_struck_model_says_of_itself_what_the_model_says() -> None:
    model = talker()
    ordered = fault(FaultKind.ERROR)
    found = struck(model, ordered, "run-place")
    assert (found.name, info_of(found)) == (model.name, info_of(model))
    assert (ordered.target, ordered.key, ordered.applied) == ("scripted", "run-place", True)


def test_what_nobody_can_see_strikes_nothing() -> None:
    model = talker()
    assert struck(model, None) is model
    assert struck(model, fault(FaultKind.DUPLICATE)) is model
