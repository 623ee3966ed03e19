"""Turn after turn: what the model is told, what its calls do, and what a crash between two of them leaves."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import InputInvalid
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import ToolCall
from callboard.testing import call, runtime
from tests.unit.agents.play import Recorder, told
from tests.unit.engine.play import Gate, die_and_return, failure, kinds, story


def counted(app: cb.App, calls: list[Any], gate: Gate | None = None) -> list[Any]:
    """Three tools, one of each side effect, which write down that they were called."""

    @app.tool(effect="read")
    async def look(name: str) -> str:
        calls.append(("look", name))
        return f"seen {name}"

    @app.tool(effect="idempotent")
    async def keep(name: str) -> str:
        calls.append(("keep", name))
        if gate is not None and name == "gate":
            await gate.enter()
        return f"kept {name}"

    @app.tool
    async def pay(name: str) -> str:
        calls.append(("pay", name))
        return f"paid {name}"

    return [look, keep, pay]


async def test_the_model_gets_prompt_context_input_tools_and_then_what_the_tools_answered() -> None:
    app, calls = cb.App("agents"), list[Any]()
    script = Recorder([[call("look", name="a"), call("pay", name="b")], "done"])
    agent = app.agent("agent", model=script.model, prompt="Be kind.", tools=counted(app, calls))

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await agent.run(ctx, {"ask": 7}, context=["history", {"n": 1}])

    async with runtime(app) as test:
        assert await test.run(flow) == "done"
    first, second = script.requests
    assert [(m.role, [p.text for p in m.parts]) for m in first.messages] == [  # type: ignore[union-attr]
        ("system", ["Be kind."]),
        ("user", ["history", '{"n": 1}', '{"ask": 7}']),
    ]
    assert [tool.name for tool in first.tools] == ["look", "keep", "pay"]
    assert [(r.call_id, r.name, r.content, r.error) for r in told(second)] == [
        ("call_0_0", "look", "seen a", None),
        ("call_0_1", "pay", "paid b", None),
    ]


async def test_neighbouring_reads_run_side_by_side_and_writes_alone_in_the_model_s_order() -> None:
    app, log = cb.App("agents"), list[str]()

    async def work(name: str) -> str:
        log.append(f"{name} begins")
        await asyncio.sleep(0.02)
        log.append(f"{name} ends")
        return name

    @app.tool(effect="read")
    async def read(name: str) -> str:
        return await work(name)

    @app.tool(effect="idempotent")
    async def write(name: str) -> str:
        return await work(name)

    order = [("read", "r1"), ("read", "r2"), ("write", "w1"), ("write", "w2"), ("read", "r3"), ("read", "r4")]
    script = Recorder([[call(tool, name=name) for tool, name in order], "done"])
    agent = app.agent("agent", model=script.model, tools=[read, write])
    async with runtime(app) as test:
        assert await test.run(agent, "go") == "done"
    assert log[:2] == ["r1 begins", "r2 begins"]
    assert log[4:8] == ["w1 begins", "w1 ends", "w2 begins", "w2 ends"]
    assert log[8:10] == ["r3 begins", "r4 begins"]
    assert [r.content for r in told(script.requests[1])] == [name for _, name in order]


async def test_a_crash_between_two_calls_of_one_turn_repeats_neither() -> None:
    app, calls, gate = cb.App("agents"), list[Any](), Gate()
    script = Recorder([[call("pay", name="a"), call("keep", name="gate"), call("pay", name="b")], "done"])
    agent = app.agent("agent", model=script.model, tools=counted(app, calls, gate))
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == "done"
    assert calls == [("pay", "a"), ("keep", "gate"), ("keep", "gate"), ("pay", "b")]
    assert script.turns == [(0, 1), (1, 1)]


async def test_a_resumed_run_is_asked_the_same_by_the_same_conversation() -> None:
    app, calls, gate = cb.App("agents"), list[Any](), Gate()
    script = Recorder(
        lambda r: [call("keep", name="gate")] if r.turn == 0 else f"{told(r)[0].content} {len(r.messages)}"
    )
    agent = app.agent("agent", model=script.model, prompt="Be kind.", tools=counted(app, calls, gate))
    async with runtime(app) as test:
        undisturbed = await test.start(agent, "go")
        await gate.reached.wait()
        resumed = await die_and_return(test, undisturbed)
        gate.opened.set()
        assert await resumed.result(timeout=30) == "kept gate 4"
        assert await test.run(agent, "go") == "kept gate 4"
    resumed_request, fresh_request = script.requests[1], script.requests[3]
    assert resumed_request.messages == fresh_request.messages


async def test_an_agent_is_a_run_of_its_own_or_a_part_of_one() -> None:
    app = cb.App("agents")
    agent = app.agent("greeter", model=cb.ScriptedModel(lambda r: f"Hello {r.messages[-1].text}"))

    @app.flow
    async def flow(ctx: cb.Context, name: str) -> Any:
        return [await agent.run(ctx, name), await ctx.spawn(agent, "child")]

    async with runtime(app) as test:
        assert await test.run(agent, "anna") == "Hello anna"
        assert await test.run("greeter", "ben") == "Hello ben"
        assert await test.run(flow, "cleo") == ["Hello cleo", "Hello child"]


async def test_an_agent_called_twice_and_side_by_side_keeps_its_talks_apart() -> None:
    app = cb.App("agents")
    script = Recorder(lambda r: f"{r.messages[-1].text} in {len(r.messages)}, turn {r.turn}")
    agent = app.agent("agent", model=script.model)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        said = [await agent.run(ctx, "one"), await agent.run(ctx, "two")]
        said += await ctx.gather(agent.run(ctx, "three"), agent.run(ctx, "four"))
        await ctx.sleep(10)
        return said

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(11)
        assert await handle.result(timeout=30) == [f"{n} in 1, turn 0" for n in ("one", "two", "three", "four")]
        models = [line for line in await story(test, handle) if line.startswith("done") and line.endswith(":model")]
    assert sorted(models) == [
        "done 0/0.0/0:model",
        "done 1/0.0/0:model",
        "done 2.0/0/0.0/0:model",
        "done 2.1/0/0.0/0:model",
    ]
    assert len(script.requests) == 4  # nothing was asked again on replay


async def test_a_transcript_has_the_answer_the_conversation_and_what_it_cost() -> None:
    app, calls = cb.App("agents"), list[Any]()
    script = Recorder([call("look", name="a"), "done"], price=(1_000_000, 1_000_000))
    agent = app.agent("agent", model=script.model, tools=counted(app, calls))

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        talk = await agent.converse(ctx, "go")
        results = [r.content for r in talk.tool_results]
        return [talk.output, [m.role for m in talk.messages], results, talk.usage.cost]

    async with runtime(app) as test:
        handle = await test.start(flow)
        output, roles, results, cost = await handle.result(timeout=30)
        run = await handle.run()
    assert (output, roles, results) == ("done", ["user", "assistant", "tool", "assistant"], ["seen a"])
    assert cost == run.usage.cost > 0


TOOL_ERRORS = [
    pytest.param(call("look", nome="a"), ErrorKind.INVALID_ARGUMENTS, "nome", id="extra and missing name"),
    pytest.param(call("look", name=7), ErrorKind.INVALID_ARGUMENTS, "should be a valid string", id="wrong type"),
    pytest.param(call("lock", name="a"), ErrorKind.WRONG_TOOL, "look", id="near miss"),
    pytest.param(call("teleport", to="moon"), ErrorKind.UNKNOWN_TOOL, "teleport", id="invention"),
    pytest.param(
        ToolCall("", "look", {}, '{"name": "a'), ErrorKind.INVALID_ARGUMENTS, "not a JSON object", id="half JSON"
    ),
    pytest.param(call("", name="a"), ErrorKind.UNKNOWN_TOOL, "", id="no name"),
]


@pytest.mark.parametrize(("mistake", "kind", "said"), TOOL_ERRORS)
async def test_a_model_s_mistake_is_told_to_it_by_kind_and_it_can_mend_it(
    mistake: ToolCall, kind: ErrorKind, said: str
) -> None:
    app, calls = cb.App("agents"), list[Any]()
    script = Recorder([mistake, call("look", name="a"), "done"])
    agent = app.agent("agent", model=script.model, tools=counted(app, calls))
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        assert await handle.result(timeout=30) == "done"
        assert any(line.startswith("failed") for line in await story(test, handle))  # the journal shows it too
    wrong, right = told(script.requests[1])[0], told(script.requests[2])[0]
    assert wrong.error in (kind, ErrorKind.UNKNOWN_TOOL)
    assert said in wrong.content
    assert (right.content, right.error) == ("seen a", None)
    assert calls == [("look", "a")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (cb.UpstreamRejected("no such order"), ErrorKind.UPSTREAM_REJECTED),
        (cb.UpstreamDown("gone"), ErrorKind.UPSTREAM_DOWN),
        (TimeoutError("slow"), ErrorKind.TIMEOUT),
        (ValueError("a bug"), ErrorKind.BUG),
    ],
)
async def test_a_tool_s_failure_is_told_to_the_model_by_kind(error: Exception, kind: ErrorKind) -> None:
    app = cb.App("agents")

    @app.tool(effect="read", retry=cb.Retry(attempts=1))
    async def look() -> str:
        raise error

    script = Recorder([call("look"), "done"])
    agent = app.agent("agent", model=script.model, tools=[look])
    async with runtime(app) as test:
        assert await test.run(agent, "go") == "done"
    result = told(script.requests[1])[0]
    assert result.error == kind
    assert str(error) in result.content


@pytest.mark.parametrize(
    ("error", "stands_in"),
    [
        (cb.UpstreamDown("gone"), True),
        (TimeoutError(), True),
        (ValueError("a bug"), True),
        (cb.UpstreamRejected("no"), False),
    ],
)
async def test_a_fallback_stands_in_for_what_did_not_work_and_never_for_a_no(error: Exception, stands_in: bool) -> None:
    app = cb.App("agents")

    async def cached(name: str) -> str:
        return f"old {name}"

    @app.tool(effect="read", retry=cb.Retry(attempts=2, first=0.0), fallback=cached)
    async def look(name: str) -> str:
        raise error

    script = Recorder([call("look", name="a"), "done"])
    agent = app.agent("agent", model=script.model, tools=[look])
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        assert await handle.result(timeout=30) == "done"
        fallbacks = [line for line in await story(test, handle) if line.endswith(":look.fallback")]
    assert (told(script.requests[1])[0].content == "old a") is stands_in
    assert len(fallbacks) == stands_in


async def test_wrong_arguments_do_not_bring_the_fallback_on() -> None:
    app = cb.App("agents")

    async def cached(name: str) -> str:
        return "old"

    @app.tool(effect="read", fallback=cached)
    async def look(name: str) -> str:
        return "new"

    script = Recorder([call("look", name=7), "done"])
    agent = app.agent("agent", model=script.model, tools=[look])
    async with runtime(app) as test:
        assert await test.run(agent, "go") == "done"
    assert told(script.requests[1])[0].error == ErrorKind.INVALID_ARGUMENTS


async def test_a_once_call_of_unknown_outcome_waits_for_a_person_in_the_middle_of_a_turn() -> None:
    app = cb.App("agents")

    @app.tool
    async def pay(name: str) -> str:
        raise ConnectionResetError

    script = Recorder([call("pay", name="a"), "done"])
    agent = app.agent("agent", model=script.model, tools=[pay])
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        await test.settle()
        question = (await test.rt.store.approvals.find("default"))[0]
        await test.rt.commands.decide("default", question.id, "edited", value="paid on paper", by="anna")
        assert await handle.result(timeout=30) == "done"
        assert await kinds(test, handle, question.path) == [EventKind.INTENT, EventKind.INTENT, EventKind.DONE]
    assert told(script.requests[1])[0].content == "paid on paper"


async def test_deltas_are_streamed_with_the_place_of_the_call() -> None:
    app = cb.App("agents")
    agent = app.agent("agent", model=cb.ScriptedModel(["Hello there"], chunk=6, latency=0.05))
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        chunks = []

        async def follow() -> None:
            async for chunk in handle.stream():
                chunks.append(chunk)

        watching = asyncio.create_task(follow())
        await handle.result(timeout=30)
        await asyncio.sleep(0.01)
        watching.cancel()
    assert [chunk.value.text for chunk in chunks] == ["Hello ", "there"]
    assert {(chunk.kind, chunk.path) for chunk in chunks} == {("delta", "0/0.0/0:model")}


def test_what_cannot_be_an_agent_is_refused_where_it_is_declared() -> None:
    app = cb.App("agents")
    model = cb.ScriptedModel(["x"])
    agent = app.agent("a", model=model)
    assert (agent.name, agent.role.model) == ("a", model)
    with pytest.raises(InputInvalid, match="agent b has neither a model nor a route; give it exactly one"):
        app.agent("b")
    with pytest.raises(InputInvalid, match="agent b has both a model and a route; give it exactly one"):
        app.agent("b", model=model, route="smart")
    with pytest.raises(InputInvalid, match="max_output_tokens=0 is no whole number above 0"):
        app.agent("b", model=model, max_output_tokens=0)
    with pytest.raises(InputInvalid, match=r"is not a tool; decorate it with @app\.tool"):
        app.agent("b", model=model, tools=[print])
    with pytest.raises(InputInvalid, match="has a flow a@1 already"):
        app.agent("a", model=model)


async def test_a_failing_agent_is_a_failing_run() -> None:
    app = cb.App("agents")
    agent = app.agent("agent", model=cb.ScriptedModel([]))
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert (error.code, error.kind) == ("model_failed", ErrorKind.INPUT)
    assert "has no reply for turn 0" in str(error)
