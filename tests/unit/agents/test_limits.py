"""Each limit ends an agent with its reason and what there was, and a replay ends with the same."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import InputInvalid
from callboard.domain.message import Message, Role, Text, ToolCall
from callboard.domain.usage import Usage
from callboard.models import FinishReason, ModelRequest, ModelResponse
from callboard.testing import call, runtime
from tests.unit.agents.play import Recorder
from tests.unit.engine.play import failure, story


def asking(request: ModelRequest) -> ModelResponse:
    """Always asks for one more tool call; costs 100 tokens and a cent."""
    parts = (Text(f"thinking {request.turn}"), ToolCall(f"c{request.turn}", "look", {"n": request.turn}))
    return ModelResponse(Message(Role.ASSISTANT, parts), Usage(60, 40, 10_000), FinishReason.TOOL_CALLS)


def limited(limits: cb.Limits, script: Any = asking) -> tuple[cb.App, list[Any], Recorder]:
    """An app whose flow runs an agent to its limit, notes how it ended, and is replayed once."""
    app, ends, recorder = cb.App("limits"), [], Recorder(script)

    @app.tool(effect="read")
    async def look(n: int) -> int:
        return n

    agent = app.agent("agent", model=recorder.model, tools=[look], limits=limits)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        try:
            return await agent.run(ctx, "go")
        except cb.LimitReached as limit:
            ends.append((limit.reason, limit.partial, str(limit)))
        await ctx.sleep(100_000)
        return "limited"

    return app, ends, recorder


@pytest.mark.parametrize(
    ("limits", "reason", "turns", "tool_calls"),
    [
        (cb.Limits(turns=3), "turns", 3, 3),
        (cb.Limits(tool_calls=2), "tool_calls", 3, 2),
        (cb.Limits(tokens=500), "tokens", 2, 2),
        (cb.Limits(usd="0.02"), "usd", 2, 2),
    ],
)
async def test_a_limit_ends_the_agent_with_its_reason_and_what_there_was(
    limits: cb.Limits, reason: str, turns: int, tool_calls: int
) -> None:
    app, ends, recorder = limited(limits)
    async with runtime(app) as test:
        handle = await test.start("flow")
        await test.wind(100_001)
        assert await handle.result(timeout=30) == "limited"
        assert (await handle.run()).usage == Usage(60 * turns, 40 * turns, 10_000 * turns)
    assert ends[0] == ends[1]
    found, partial, text = ends[0]
    assert found == reason
    assert (partial["turns"], partial["tool_calls"]) == (turns, tool_calls)
    assert partial["text"] == f"thinking {turns - 1}"
    assert partial["usage"] == {"input_tokens": 60 * turns, "output_tokens": 40 * turns, "cost": 10_000 * turns}
    assert f"agent agent reached its limit of {reason} (" in text
    assert len(recorder.requests) == turns


async def test_the_seconds_count_waits_and_deaths_and_cut_off_what_is_in_flight() -> None:
    hanging = asyncio.Event()

    async def hang(request: ModelRequest) -> Any:
        if request.turn == 1:
            hanging.set()
            await asyncio.sleep(3_600)
        return asking(request)

    app, ends, _ = limited(cb.Limits(seconds=60), hang)
    async with runtime(app) as test:
        handle = await test.start("flow")
        await hanging.wait()
        hanging.clear()
        await test.kill()
        test.clock.set(test.clock.now() + 30)
        await test.restart()
        await hanging.wait()
        test.clock.set(test.clock.now() + 31)
        await test.settle()
        await test.wind(100_001)
        assert await test.rt.handle(handle.id).result(timeout=30) == "limited"
    assert ends[0][0] == "seconds"
    assert (ends[0][1]["turns"], ends[0][1]["text"]) == (1, "thinking 0")
    assert ends[0] == ends[1]


async def test_the_answer_at_the_very_limit_counts() -> None:
    app, ends, _ = limited(cb.Limits(turns=2, tool_calls=1), [call("look", n=1), "done"])
    async with runtime(app) as test:
        assert await test.run("flow") == "done"
    assert ends == []


async def test_an_agent_nested_too_deep_does_not_begin() -> None:
    app = cb.App("limits")
    script = Recorder(["done"])
    agent = app.agent("agent", model=script.model, limits=cb.Limits(depth=2))

    @app.flow
    async def nested(ctx: cb.Context, levels: int) -> Any:
        if levels:
            return await ctx.spawn(nested, levels - 1)
        return await agent.run(ctx, "go")

    async with runtime(app) as test:
        assert await test.run(nested, 1) == "done"
        handle = await test.start(nested, 3)
        error = await failure(handle)
    assert error.detail["error"]["detail"]["error"]["detail"]["error"]["detail"]["reason"] == "depth"
    assert len(script.requests) == 1


async def test_working_side_by_side_is_no_deeper_than_working_alone() -> None:
    app = cb.App("limits")
    agent = app.agent("agent", model=cb.ScriptedModel(["done"]), limits=cb.Limits(depth=1))

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        alone = await agent.run(ctx, "go")
        return [alone, *await ctx.gather(agent.run(ctx, "go")), await ctx.timeout(60, agent.run(ctx, "go"))]

    async with runtime(app) as test:
        assert await (await test.start(flow)).result(timeout=30) == ["done"] * 3


async def test_a_limit_is_an_effect_that_the_journal_shows() -> None:
    app, _, _ = limited(cb.Limits(turns=1))
    async with runtime(app) as test:
        handle = await test.start("flow")
        await test.settle()
        assert any(line.endswith(":limit turns") for line in await story(test, handle))


@pytest.mark.parametrize(
    "wrong",
    [
        {"turns": 0}, {"turns": True}, {"tool_calls": -1}, {"tokens": 1.5}, {"depth": 0}, {"seconds": 0},
        {"seconds": float("nan")}, {"usd": 0.25}, {"usd": "-1"}, {"usd": "a lot"}, {"usd": "0.0000001"},
    ],
)  # fmt: skip
def test_a_limit_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(InputInvalid):
        cb.Limits(**wrong)
