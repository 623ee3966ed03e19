"""Whom an agent asks: by the name of a model, a reference, or a route with its rules."""

import hashlib
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import InputInvalid
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Media
from callboard.models import Ability, Candidate, ModelInfo
from callboard.testing import runtime
from tests.unit.agents.routed import answering
from tests.unit.engine.play import events, failure


async def test_the_label_tier_and_the_agent_s_task_choose() -> None:
    a, b = answering(name="a"), answering()
    app = cb.App("route")
    app.model("a", a.model)
    app.model("b", b.model)
    app.route("smart", Candidate(model="a", tiers=("gold",)), Candidate(model="b", tasks=("chat",)))
    agent = app.agent("agent", route="smart", task="chat")
    async with runtime(app) as test:
        await test.run(agent, "go")
        assert (len(a.requests), len(b.requests)) == (0, 1)
        handle = await test.start(agent, "go", labels={"tier": "gold"})
        await handle.result(timeout=30)
    assert (len(a.requests), len(b.requests)) == (1, 1)


async def test_when_nobody_can_serve_it_is_said_why_of_each() -> None:
    a, b = answering(name="a"), answering()
    a.model.info = ModelInfo(name="a", abilities=frozenset())
    b.model.info = ModelInfo(name="b", abilities=frozenset({Ability.TOOLS}))
    app = cb.App("route")
    app.model("a", a.model)
    app.model("b", b.model)
    app.route("smart", "a", "b")
    agent = app.agent("agent", route="smart", output=dict[str, int])
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert error.kind is ErrorKind.INVALID_REQUEST
    assert "no candidate of route smart can be asked: a lacks schema; b lacks schema" in str(error)
    assert a.requests == b.requests == []


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda app: app.agent("x", model="gpt"), "agent x: no model is called 'gpt'; app.model and .* have: known"),
        (lambda app: app.agent("x", model="nobody:gpt"), "agent x: model='nobody:gpt' names no model of a provider"),
        (lambda app: app.agent("x", route="smart"), "agent x: there is no route 'smart'; .* have: fast"),
        (lambda app: app.route("smart", "gone"), "route smart: no model is called 'gone'"),
        (lambda app: app.agent("x", route="fast", task="chat"), "route fast has no candidate for the task 'chat'"),
        (lambda app: app.agent("x", model="known", compact=cb.Compaction(route="short")), "no route 'short'"),
    ],
)
async def test_names_that_nobody_has_are_refused_when_a_runtime_opens(declare: Any, said: str) -> None:
    app = cb.App("route")
    app.model("known", cb.ScriptedModel(["x"]))
    app.route("fast", Candidate(model="known", tasks=("code",)))
    declare(app)
    with pytest.raises(InputInvalid, match=said):
        async with runtime(app):
            pass


async def test_a_reference_needs_no_registration() -> None:
    app = cb.App("route")
    app.agent("x", model="openai:gpt-5")
    async with runtime(app):
        pass


async def test_bytes_behind_a_reference_go_with_the_request() -> None:
    script = answering()
    app = cb.App("route")
    agent = app.agent("agent", model=script.model)

    @app.flow
    async def flow(ctx: cb.Context, ref: str | None) -> Any:
        await ctx.step(large)
        await ctx.wait("ref")
        return None

    @app.flow
    async def look(ctx: cb.Context, ref: str) -> Any:
        return await agent.run(ctx, "what is it?", context=[Media(ref, "image/png")])

    async def large() -> str:
        return "x" * 20_000

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        body = next(e.body for e in await events(test, handle) if e.path.endswith(":large"))
        ref = f"blob:{hashlib.sha256(body).hexdigest()}"
        assert await test.run(look, ref) == "done"
        error = await failure(await test.start(look, "blob:" + "0" * 64))
    assert script.requests[0].media == {ref: body}
    assert error.kind is ErrorKind.INVALID_REQUEST
    assert len(script.requests) == 1
