from typing import Any

from callboard.apps.console.settings import options
from callboard.apps.console.story import story
from callboard.domain.codec import encode
from callboard.domain.event import Event, EventKind


def event(seq: int, kind: EventKind, path: str, body: Any = None) -> Event:
    return Event(seq, kind, path, b"", seq * 1_000_000, 2_000, b"" if body is None else encode(body))


def said(text: str = "", *calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    parts += [{"type": "call", "id": str(n), "name": name, "arguments": args} for n, (name, args) in enumerate(calls)]
    return {"result": {"message": {"role": "assistant", "parts": parts}}}


def test_a_story_tells_who_said_and_asked_what_up_to_the_question() -> None:
    events = [
        event(0, EventKind.STARTED, "", {"order": 1}),
        event(1, EventKind.INTENT, "0/0:timeout", {"due": 1}),
        event(2, EventKind.INTENT, "0.0/0:model", {"note": {"agent": "clerk"}}),
        event(3, EventKind.DONE, "0.0/0:model", said("Looking.", ("lookup", {"id": 7}))),
        event(4, EventKind.RETRY, "0.0/1:lookup", {"error": {"message": "503"}}),
        event(5, EventKind.DONE, "0.0/1:lookup", {"result": '{"found": true}'}),
        event(6, EventKind.DONE, "0/0:timeout", {"result": None}),
        event(7, EventKind.DONE, "1:model", {"result": 3}),
        event(8, EventKind.INTENT, "2:ask", {"approval": "x"}),
        event(9, EventKind.DONE, "3:later", {"result": 1}),
    ]
    told = story(events, until="2:ask")
    assert [each.what for each in told] == ["input", "model", "failure", "tool", "step"]
    model, tool = told[1], told[3]
    assert (model.name, model.said, model.asked) == ("clerk", "Looking.", ["lookup"])
    assert (tool.name, tool.asked, tool.value, tool.took) == ("lookup", {"id": 7}, {"found": True}, 0.002)
    assert story(events)[-1].name == "later"


def test_a_call_without_an_outcome_ends_its_story() -> None:
    events = [event(0, EventKind.STARTED, "", 1), event(1, EventKind.INTENT, "0:wire", {"asked": {"to": "me"}})]
    last = story(events, until="0:wire")[-1]
    assert last.name == "wire" and last.asked == {"to": "me"} and "nothing was heard" in last.said


def test_settings_say_where_a_value_comes_from() -> None:
    shown = {"store": "x", "tenant": "default", "engine": {"lease": 9.0}, "gateway": {"body": 1, "limit": 2}}
    defaults = {"store": "y", "tenant": "default", "engine": {"lease": 10.0}, "gateway": {"body": 1, "limit": 3}}
    found = options(shown, defaults, {"CALLBOARD_LEASE": "9", "CALLBOARD_GATEWAY_BODY": "1"})
    assert [(each.name, each.origin) for each in found[""]] == [
        ("store", "program or command line"),
        ("tenant", "default"),
    ]
    assert found["engine"][0].origin == "environment"
    assert [each.origin for each in found["gateway"]] == ["environment", "program or command line"]
    assert found["gateway"][0].variable == "CALLBOARD_GATEWAY_BODY"
