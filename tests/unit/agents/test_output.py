"""An agent's answer fits its declared type, after repairs if need be, or the agent has failed."""

from typing import Any

import pytest
from pydantic import BaseModel

import callboard as cb
from callboard.domain.errors import OutputInvalid
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import assistant
from callboard.models import FinishReason, ModelResponse
from callboard.testing import runtime
from tests.unit.agents.play import Recorder
from tests.unit.engine.play import failure


class Verdict(BaseModel):
    refund: bool
    cents: int


GOOD = '{"refund": true, "cents": 500}'


@pytest.mark.parametrize("text", [GOOD, f"```json\n{GOOD}\n```", f"```\n{GOOD}```", f"  {GOOD}\n"])
async def test_an_answer_comes_as_the_declared_type_live_and_replayed(text: str) -> None:
    app, seen = cb.App("output"), []
    agent = app.agent("judge", model=cb.ScriptedModel([text]), output=Verdict)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        seen.append(await agent.run(ctx, "judge"))
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(11)
        await handle.result(timeout=30)
    assert seen == [Verdict(refund=True, cents=500)] * 2


async def test_the_model_is_told_the_schema_and_what_is_wrong_and_may_repair_it() -> None:
    app = cb.App("output")
    script = Recorder(["I would refund it.", '{"refund": "maybe", "cents": 500}', GOOD])
    agent = app.agent("judge", model=script.model, output=Verdict)
    async with runtime(app) as test:
        assert await test.run(agent, "judge") == {"refund": True, "cents": 500}
    assert script.requests[0].output_schema == Verdict.model_json_schema()
    assert "the answer is not JSON" in script.requests[1].messages[-1].text
    assert "refund: Input should be a valid boolean" in script.requests[2].messages[-1].text
    assert [len(r.messages) for r in script.requests] == [1, 3, 5]


@pytest.mark.parametrize("repairs", [0, 1, 2])
async def test_when_the_repairs_are_used_up_the_output_is_invalid(repairs: int) -> None:
    app = cb.App("output")
    script = Recorder(lambda r: f"no JSON {r.turn}")
    agent = app.agent("judge", model=script.model, output=Verdict, repairs=repairs)
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "judge"))
    assert (type(error), error.kind) == (OutputInvalid, ErrorKind.MALFORMED_OUTPUT)
    assert error.detail["text"] == f"no JSON {repairs}"
    assert len(script.requests) == repairs + 1


async def test_text_is_the_answer_as_it_is() -> None:
    app = cb.App("output")
    agent = app.agent("poet", model=cb.ScriptedModel(["```json is a word```"]))
    async with runtime(app) as test:
        assert await test.run(agent, "rhyme") == "```json is a word```"


@pytest.mark.parametrize(
    ("finish", "kind", "said", "asked"),
    [
        (FinishReason.LENGTH, ErrorKind.MALFORMED_OUTPUT, "cut at its output limit; raise max_output_tokens", 1),
        (FinishReason.REFUSAL, ErrorKind.CONTENT_FILTERED, "the model refused: I will not", 1),
        (FinishReason.CONTENT_FILTER, ErrorKind.CONTENT_FILTERED, "the model refused: I will not", 1),
        (FinishReason.ERROR, ErrorKind.UPSTREAM_DOWN, "ended with an error", 4),
    ],
)
async def test_an_answer_that_is_none_fails_by_kind_live_and_replayed(
    finish: FinishReason, kind: ErrorKind, said: str, asked: int
) -> None:
    app, seen = cb.App("output"), []
    script = Recorder([ModelResponse(assistant("I will not"), finish=finish)])
    agent = app.agent("agent", model=script.model)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        try:
            await agent.run(ctx, "go")
        except cb.CallboardError as error:
            seen.append((error.code, error.kind, str(error)))
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(200)
        await handle.result(timeout=30)
    assert seen[0] == seen[1]
    assert seen[0][:2] == ("model_failed", kind)
    assert said in seen[0][2]
    assert len(script.requests) == asked
