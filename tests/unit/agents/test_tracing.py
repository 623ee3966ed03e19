"""Spans derived from journals: whatever happened to a run, each span is unique, and its parent is told too."""

from collections.abc import Sequence

import msgspec
import pytest

import callboard as cb
from callboard.agents.tracing import Content, Installed, spans_of
from callboard.domain.codec import encode
from callboard.domain.errors import ModelFailed
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorKind
from callboard.domain.run import Run, RunStatus
from callboard.models import ModelRequest, Reply
from callboard.telemetry.span import Span
from callboard.telemetry.trace import effect_span, run_span

app = cb.App("traced")
OFF, ON = Content("off"), Content("on")
broken = {"on": False}


def first(request: ModelRequest) -> Reply:
    raise ModelFailed("the data centre burns", kind=ErrorKind.UPSTREAM_DOWN, detail={"sent": False})


app.model("first", cb.ScriptedModel(first, name="first"))
app.model("second", cb.ScriptedModel(lambda request: "done", name="second"))
app.route("smart", "first", "second")
app.upstream("first", retry=cb.Retry(attempts=1))
asker = app.agent("asker", route="smart")


@app.flow
async def counting(ctx: cb.Context, n: int) -> str:
    said = await ctx.step(count, n)
    if n:
        ctx.continue_as_new(n - 1)
    return said


async def count(n: int) -> str:
    if broken["on"]:
        raise ValueError("not now")
    return f"{n} {cb.traceparent()}"


async def told(rt: cb.Runtime, run_id: str, until: int | None = None, renewed: bool = False) -> list[Span]:
    run = await rt.store.runs.get("default", run_id)
    events = [each for each in await rt.store.journal.read("default", run_id) if until is None or each.seq <= until]
    return spans_of(run, events, Installed.of(app.tools, app.roles()), ON, renewed=renewed)


def unique(*parts: Sequence[Span]) -> None:
    spans = [span for part in parts for span in part]
    ids = {span.context.span_id for span in spans}
    assert len(ids) == len(spans)
    assert len({span.context.trace_id for span in spans}) == 1
    assert all(span.parent in ids for span in spans if span.parent is not None)


async def test_an_agents_run_is_one_agent_and_each_candidate_has_a_span_of_its_own() -> None:
    async with cb.open(app, "sqlite://") as rt:
        handle = await rt.start(asker, "hi")
        assert await handle.result() == "done"
        spans = await told(rt, handle.id)
    unique(spans)
    assert [span.name for span in spans] == ["invoke_agent asker", "chat first", "chat second"]
    run, failed, answered = spans
    assert run.parent is None
    assert (failed.attributes["error.type"], failed.error) == ("upstream_down", "the data centre burns")
    assert {event.name for event in failed.events} == {"callboard.route", "callboard.retry"}
    assert answered.attributes["gen_ai.response.model"] == "second"
    assert answered.attributes["callboard.attempt"] == 2
    assert answered.error is None
    assert "first: " in str(answered.events[0].attributes["callboard.route.considered"])


async def test_a_run_that_begins_anew_and_one_that_is_requeued_tell_each_part_once() -> None:
    async with cb.open(app, "sqlite://") as rt:
        handle = await rt.start(counting, 1)
        said = await handle.result()
        events = await rt.store.journal.read("default", handle.id)
        anew = next(each.seq for each in events if each.kind is EventKind.CONTINUED)
        before, after = await told(rt, handle.id, anew, renewed=True), await told(rt, handle.id)
        unique(before, after)
        assert [span.name for span in (*before, *after)] == ["invoke_workflow counting", "step count"] * 2
        assert before[0].attributes["callboard.run.status"] == "renewed"
        assert after[1].context.header == said.split()[1], "what the code was told is what is told of it"

        broken["on"] = True
        handle = await rt.start(counting, 0)
        with pytest.raises(cb.RunFailed):
            await handle.result()
        failed = await told(rt, handle.id)
        broken["on"] = False
        await rt.commands.requeue("default", handle.id, "mended")
        said = await handle.result()
        mended = await told(rt, handle.id)
        unique(failed, mended)
        assert [span.error for span in failed] == ["count raised ValueError: not now"] * 2
        assert [span.error for span in mended] == [None, None]
        assert mended[1].context.header == said.split()[1]
        assert mended[0].links[0].context.span_id == failed[0].context.span_id

        fork = await rt.commands.fork("default", handle.id, 0)
        said = await rt.handle(fork.id).result()
        forked = await told(rt, fork.id)
        unique(forked)
        assert forked[1].context.header == said.split()[1]


def test_attempts_that_died_with_their_process_are_told_as_such() -> None:
    run = Run(id="r1", tenant="t", flow="pay", version="1", status=RunStatus.CANCELLED)
    intent = encode({"attempt": 1, "key": "k"})
    rows = [
        (EventKind.STARTED, "", b"{}", 0),
        (EventKind.INTENT, "0:charge", intent, 0),
        (EventKind.INTENT, "0:charge", intent, 0),
        (EventKind.RETRY, "0:charge", encode({"attempt": 1, "due": 9.0, "error": _error("timeout")}), 5),
        (EventKind.INTENT, "0:charge", encode({"attempt": 2, "key": "k"}), 0),
        (EventKind.DONE, "0:charge", b'{"result":1}', 5),
        (EventKind.INTENT, "1:charge", intent, 0),
        (EventKind.RUN_CANCELLED, "", b'"enough"', 0),
    ]
    events = [Event(at, kind, path, b"", at * 1000, took, body) for at, (kind, path, body, took) in enumerate(rows)]
    spans = spans_of(run, events, Installed({}, {}), OFF)
    unique(spans)
    assert [span.attributes.get("error.type") for span in spans] == [
        None, "unknown_outcome", "timeout", None, "unknown_outcome",
    ]  # fmt: skip
    assert spans[3].context == effect_span("r1", None, "0:charge", 2)
    assert spans[0].context == run_span("r1", None)
    assert all(span.error in (None, "unknown_outcome", "tool_failed") for span in spans), "words stay here when off"


def _error(kind: str) -> dict[str, str]:
    return {"code": "tool_failed", "kind": kind, "message": "secret words"}


def test_content_is_json_whatever_its_size_and_redacted_before_it_is_cut() -> None:
    long = "x" * 3_990 + " sk-abcdefghijklmnopqrstuvwxyz"
    redacted = Content("redacted")
    assert "sk-abc" not in redacted.words(long)
    from callboard.domain.message import Message, Role, Text, ToolCall, ToolResult

    big = [Message(Role.USER, (Text("y" * 9_000),)) for _ in range(50)]
    for content in (ON, redacted):
        made = msgspec.json.decode(content.messages(big))
        assert 0 < len(made) < 50
        call = ToolCall("1", "find", {"mail": "mia@example.com", "much": ["z" * 9_000]})
        result = ToolResult("1", "find", msgspec.Raw(b'{"card":"4111111111111111"}'))
        both = content.messages([Message(Role.ASSISTANT, (call,)), Message(Role.TOOL, (result,))])
        assert msgspec.json.decode(both)[1]["parts"][0]["response"] == (
            {"card": "[card]"} if content is redacted else {"card": "4111111111111111"}
        )
        assert ("mia@" in both) is (content is ON)
