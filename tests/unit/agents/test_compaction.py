"""A conversation that no model holds any more is summarised in its older part, openly, or fails by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import callboard as cb
from callboard.agents.compaction import MARK, cut, portions
from callboard.agents.conversation import Conversation
from callboard.domain.errors import InputInvalid, ModelFailed
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Role, Text, ToolCall, ToolResult, assistant, system, user
from callboard.models import FinishReason, ModelInfo, ModelRequest, ModelResponse
from callboard.testing import call, runtime
from tests.unit.agents.play import Recorder
from tests.unit.engine.play import die_and_return, events, failure


def summarising(request: ModelRequest) -> bool:
    return request.messages[0].text.startswith("You shorten conversations")


def holding(limit: int, turns: int = 6) -> Recorder:
    """A model that asks for a tool so many times, and refuses conversations of more bytes than its limit."""

    def speak(request: ModelRequest) -> Any:
        if sum(len(str(message)) for message in request.messages) > limit:
            raise ModelFailed("too long", kind=ErrorKind.CONTEXT_TOO_LONG)
        if summarising(request):
            return f"summary {sum(map(summarising, script.requests))}"
        return call("look", n=request.turn) if request.turn < turns else "done"

    script = Recorder(speak)
    return script


def looking(script: Recorder, **role: Any) -> tuple[cb.App, cb.Agent]:
    app = cb.App("compaction")

    @app.tool(effect="read")
    async def look(n: int) -> str:
        return f"seen {n} " + "x" * 400

    return app, app.agent("agent", model=script.model, prompt="Be kind.", tools=[look], **role)


async def test_without_it_a_conversation_that_is_too_long_fails_by_name() -> None:
    app, agent = looking(holding(2_500))
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert error.kind is ErrorKind.CONTEXT_TOO_LONG


async def test_the_older_part_gives_way_to_a_summary_and_the_agent_goes_on() -> None:
    script = holding(3_000)
    app, agent = looking(script, compact=cb.Compaction(keep=2))
    found: list[Any] = []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        transcript = await agent.converse(ctx, "go")
        found.append(transcript)
        await ctx.sleep(10)
        return transcript.output

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        handle = await die_and_return(test, handle)
        await test.wind(11)
        assert await handle.result(timeout=30) == "done"
        compacted = [e for e in await events(test, handle) if e.path.endswith(":compact")]
        assert EventKind.DONE in [e.kind for e in compacted]
    last = script.requests[-1]
    assert [m.role for m in last.messages[:3]] == ["system", "user", "user"]
    assert last.messages[1].text == "go"
    assert last.messages[2].text.startswith(MARK)
    assert "summary" in last.messages[2].text
    assert last.messages[3].role is Role.ASSISTANT
    # What users get is the whole of it, live and replayed.
    assert len(found) == 2
    assert found[0] == found[1]
    assert [r.content[:6] for r in found[0].tool_results] == [f"seen {n}" for n in range(6)]
    assert sum(m.text.startswith(MARK) for m in found[0].messages) == sum(map(summarising, script.requests))


async def test_it_is_done_before_a_call_that_no_candidate_could_hold() -> None:
    script = holding(10**9)
    script.model.info = ModelInfo(name="small", upstream="small", context=2_000)
    app, agent = looking(script, compact=True, max_output_tokens=500, limits=cb.Limits(turns=40))
    async with runtime(app) as test:
        handle = await test.start(agent, "go " + "word " * 500)
        assert await handle.result(timeout=30) == "done"
        failed = [e for e in await events(test, handle) if e.kind is EventKind.FAILED]
        assert [e.value()["kind"] for e in failed] == ["context_too_long"] * len(failed)
        assert failed
        assert all(e.value()["detail"]["made"] is False for e in failed)
    assert any(map(summarising, script.requests))


async def test_what_is_too_long_to_be_summarised_at_once_is_read_in_portions() -> None:
    script = holding(3_000)
    told: list[str] = []

    def write(request: ModelRequest) -> Any:
        if len(request.messages[-1].text) > 1_200:
            raise ModelFailed("too long", kind=ErrorKind.CONTEXT_TOO_LONG)
        told.append(request.messages[-1].text)
        return f"summary {len(told)}"

    app, agent = looking(script, compact=cb.Compaction(keep=1, model="writer"))
    app.model("writer", cb.ScriptedModel(write, name="writer"))
    async with runtime(app) as test:
        handle = await test.start(agent, "go")
        assert await handle.result(timeout=30) == "done"
    assert len(told) >= 2
    assert told[1].startswith("The summary of what came before:\nsummary 1\n")
    read = "".join(told)
    assert all(f"seen {n}" in read for n in range(4))
    assert f"summary {len(told)}" in script.requests[-1].messages[2].text


async def test_what_is_left_after_all_is_too_long_fails_by_name() -> None:
    app, agent = looking(holding(100), compact=True)
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert error.kind is ErrorKind.CONTEXT_TOO_LONG


async def test_it_is_done_so_many_times_and_no_more() -> None:
    script = holding(2_400, turns=30)
    app, agent = looking(script, compact=cb.Compaction(keep=1, times=2))
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert error.kind is ErrorKind.CONTEXT_TOO_LONG
    assert sum(map(summarising, script.requests)) >= 2


@pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.REFUSAL])
async def test_half_a_summary_is_none(finish: FinishReason) -> None:
    script = holding(2_500)
    app = cb.App("compaction")
    short = cb.ScriptedModel(lambda request: ModelResponse(assistant("half a"), finish=finish), name="short")
    app.model("short", short)

    @app.tool(effect="read")
    async def look(n: int) -> str:
        return "x" * 400

    agent = app.agent("agent", model=script.model, tools=[look], compact=cb.Compaction(model="short", keep=1))
    async with runtime(app) as test:
        error = await failure(await test.start(agent, "go"))
    assert error.kind is ErrorKind.MALFORMED_OUTPUT
    assert "could not be summarised" in str(error)


@pytest.mark.parametrize(
    "wrong", [{"keep": 0}, {"tokens": True}, {"times": 1.5}, {"model": "a", "route": "b"}], ids=str
)
def test_what_cannot_be_a_compaction_is_refused(wrong: Any) -> None:
    with pytest.raises(InputInvalid):
        cb.Compaction(**wrong)


def turn(n: int, *calls: str) -> list[Message]:
    asked = Message(Role.ASSISTANT, (Text(f"turn {n}"), *(ToolCall(each, "look") for each in calls)))
    answered = Message(Role.TOOL, tuple(ToolResult(each, "look", "seen") for each in calls))
    return [asked, answered] if calls else [asked]


def test_a_summary_stands_where_the_older_messages_stood_and_nothing_is_lost() -> None:
    talk = Conversation(b"release")
    said = [system("be kind"), user("go"), *turn(0, "a"), *turn(1, "b"), *turn(2, "c")]
    for message in said:
        talk.add(message)
    before, size = talk.digest, talk.size
    talk.compact(cut(talk.messages, talk.head, 1), user("in short"))
    assert talk.messages == [*said[:2], user("in short"), *said[6:]]
    assert talk.whole == (*said[:6], user("in short"), *said[6:])
    assert (talk.digest != before, talk.size < size) == (True, True)
    talk.add(assistant("on"))
    talk.compact(cut(talk.messages, talk.head, 1), user("shorter"))
    assert talk.whole == (*said[:6], user("in short"), *said[6:], user("shorter"), assistant("on"))


@given(
    calls=st.lists(st.integers(0, 3), max_size=12),
    keep=st.integers(1, 8),
    repair=st.booleans(),
)
def test_a_call_is_never_parted_from_its_result(calls: list[int], keep: int, repair: bool) -> None:
    messages = [user("go")]
    for n, count in enumerate(calls):
        messages += turn(n, *[f"c{n}.{i}" for i in range(count)])
        if repair:
            messages.append(user("again"))
    at = cut(messages, 1, keep)
    asked = {part.id for m in messages[at:] for part in m.parts if isinstance(part, ToolCall)}
    answered = {part.call_id for m in messages[at:] for part in m.parts if isinstance(part, ToolResult)}
    assert asked == answered
    assert at == 1 or sum(m.role is Role.ASSISTANT for m in messages[at:]) == keep


@given(texts=st.lists(st.text(max_size=40), max_size=8), size=st.integers(4, 60))
def test_portions_leave_nothing_out_and_are_never_larger_than_said(texts: list[str], size: int) -> None:
    found = portions(texts, size)
    assert "".join(found).replace("\n\n", "") == "".join(texts).replace("\n\n", "")
    assert all(len(each.encode("utf-8", "surrogatepass")) <= size for each in found)
