from typing import Any

import pytest

import callboard as cb
from callboard.domain.kinds import ErrorKind
from callboard.models import call
from callboard.testing import runtime


def app_of(*script: Any, **role: Any) -> tuple[cb.App, cb.Agent]:
    app = cb.App("stopping")

    @app.tool(effect="read")
    async def look(place: str) -> str:
        """Look somewhere."""
        return f"nothing in the {place}"

    @app.tool(effect="read")
    async def listen(place: str) -> str:
        """Listen somewhere."""
        return f"silence in the {place}"

    agent = app.agent("seeker", model=cb.ScriptedModel(list(script)), tools=[look, listen], **role)
    return app, agent


async def limit_of(app: cb.App, agent: cb.Agent) -> cb.LimitReached:
    async with runtime(app) as test:
        with pytest.raises(cb.RunFailed) as caught:
            await test.run(agent, "go")
    error = caught.value.error
    assert isinstance(error, cb.LimitReached)
    return error


LOOK, LISTEN = call("look", place="hall"), call("listen", place="hall")


@pytest.mark.parametrize(
    ("script", "pattern"),
    [
        ([LOOK] * 30, "repeated_call"),
        ([LOOK, LISTEN] * 15, "alternating_calls"),
        ([LOOK, LISTEN, call("look", place="attic")] * 15, "nothing_new"),
    ],
)
async def test_an_agent_that_gets_nowhere_is_stopped_by_name(script: list[Any], pattern: str) -> None:
    limit = await limit_of(*app_of(["I begin.", script[0]], *script[1:]))
    assert (limit.reason, limit.kind, limit.detail["pattern"]) == ("no_progress", ErrorKind.LOOP, pattern)
    assert limit.partial["text"] == "I begin."
    assert limit.partial["turns"] < 20


async def test_it_may_be_allowed_to() -> None:
    app, agent = app_of(*[LOOK] * 20, "still nothing", progress=None)
    async with runtime(app) as test:
        assert await test.run(agent, "go") == "still nothing"


async def test_a_poll_whose_answer_changes_goes_on() -> None:
    app, answers = cb.App("poll"), iter(range(50))

    @app.tool(effect="read")
    async def state() -> int:
        """How far it is."""
        return next(answers)

    agent = app.agent("waiter", model=cb.ScriptedModel([call("state")] * 20 + ["ready"]), tools=[state])
    async with runtime(app) as test:
        assert await test.run(agent, "wait") == "ready"


async def test_two_agents_that_only_hand_each_other_the_same_are_stopped() -> None:
    app = cb.App("loop")
    writer = app.agent("writer", model=cb.ScriptedModel(["please check"], name="w"), progress=cb.Progress(rounds=2))
    critic = app.agent("critic", model=cb.ScriptedModel(["please rewrite"], name="c"), progress=cb.Progress(rounds=2))

    @app.flow
    async def improve(ctx: cb.Context, draft: str) -> str:
        for _ in range(50):
            await writer.run(ctx, draft)
            await critic.run(ctx, "please check")
        return "never"

    async with runtime(app) as test:
        with pytest.raises(cb.RunFailed) as caught:
            await test.run(improve, "draft")
    error = caught.value.error
    assert isinstance(error, cb.LimitReached)
    assert error.detail["pattern"] == "alternating_agents"
    assert error.partial["text"] == "please rewrite"


async def test_a_condition_ends_the_agent_with_what_it_said() -> None:
    app, agent = app_of(["I look once.", LOOK], "never said", stop=[cb.after_tool("look")])

    @app.flow
    async def handle(ctx: cb.Context, wish: str) -> list[str]:
        talk = await agent.converse(ctx, wish)
        return [talk.stopped, talk.output]

    async with runtime(app) as test:
        assert await test.run(handle, "go") == ["after_look", "I look once."]


async def test_who_simply_answers_is_done() -> None:
    app, agent = app_of("here", stop=[cb.Stop("never", lambda turn: False)])

    @app.flow
    async def handle(ctx: cb.Context, wish: str) -> str:
        return (await agent.converse(ctx, wish)).stopped

    async with runtime(app) as test:
        assert await test.run(handle, "go") == "done"


@pytest.mark.parametrize(
    ("script", "role", "reason"),
    [
        ([LOOK, "never"], {"stop": [cb.after_tool("look")]}, "after_look"),  # it said nothing: no answer
        ([["words", LOOK], "never"], {"stop": [cb.after_tool("look")], "output": int}, "after_look"),
        (['{"confidence": 0.2}'], {"stop": [cb.unsure(0.5)], "output": dict}, "low_confidence"),
    ],
)
async def test_what_is_no_whole_answer_is_not_taken_for_one(
    script: list[Any], role: dict[str, Any], reason: str
) -> None:
    limit = await limit_of(*app_of(*script, **role))
    assert limit.reason == reason


async def test_a_resumed_run_stops_where_it_would_have_stopped() -> None:
    app, agent = app_of(*[LOOK] * 30, progress=cb.Progress(repeats=3))

    @app.flow
    async def handle(ctx: cb.Context, wish: str) -> dict[str, object]:
        try:
            await agent.run(ctx, wish)
        except cb.LimitReached as limit:
            await ctx.wait("go on")
            return {"reason": limit.reason, "pattern": limit.detail["pattern"], "turns": limit.partial["turns"]}
        return {}

    async with runtime(app) as test:
        run = await test.start(handle, "go")
        await test.settle()
        await test.kill()
        await test.restart()
        await test.rt.handle(run.id).signal("go on")
        assert await test.rt.handle(run.id).result() == {
            "reason": "no_progress",
            "pattern": "repeated_call",
            "turns": 3,
        }
