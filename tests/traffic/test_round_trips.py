"""What a model said goes back to its provider as the provider wants it.

A recorded conversation is held once more: each recorded answer is decoded by our adapter, our message of it goes into
the conversation with a result for each of its calls, and what the adapter sends next is laid beside what was sent then.
Compared are, in order: reasoning with its ids, signatures and encrypted content, calls with their ids, names and
arguments, the ids that results answer, the model's words with the ids of their messages, and what the provider's own
tools left. What people and tools said is not.

Not compared, by reason:

| reason | what it is |
|---|---|
| kept | the provider keeps the conversation itself; the request names it and repeats nothing |
| anew | the request is another conversation in the same cassette |
| again | the same request once more |
| no answer | the recorded answer before it is an error or unfinished |

What was compared and does not agree stands in OTHERWISE, with why.
"""

import json
from collections import Counter
from typing import Any, TypeAlias

import pytest

from callboard.domain.errors import ModelFailed
from callboard.domain.message import Message, Role, ToolResult, user
from callboard.models import ModelResponse
from tests.traffic.asking import Desk
from tests.traffic.records import FAMILIES, MISSING, Record, conversations, mended, present
from tests.traffic.serving import Provider, replay

pytestmark = [
    pytest.mark.skipif(not present(), reason=MISSING),
    pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning"),
]
Marks: TypeAlias = list[tuple[str, ...]]

COUNTS: dict[str, dict[str, int]] = {
    "anthropic_messages": {"agree": 41, "again": 2, "anew": 4, "no answer": 1},
    "openai_chat": {"agree": 37, "again": 3, "anew": 2},
    "openai_responses": {"agree": 35, "differ": 11, "kept": 7, "anew": 3, "no answer": 1},
}
_PLAINER = str.maketrans("‘’“”", "''\"\"")
OWN = "auto_load_"  # calls that the recording library made up itself, to make a tool known late
_COMPACTED = "what the provider made of the conversation so far was asked for elsewhere, and is not recorded"
_COVERED = "what a compaction stands for is no longer sent, as its provider allows"
_EDITED = "the message behind the reasoning was replaced by hand, and the provider refused it"
_BARE = "the recording library was told to leave the ids out"
_OLDER = "recorded before the library handed back what a search for tools had found"
_SEARCH = "a search for tools that the asker makes: nobody can ask our adapters for one, so it counts as a call"
_COMPACTIONS = "models/test_openai_responses/test_openai_responses_compact"
_SEARCHES = "test_tool_search/test_openai"
OTHERWISE: dict[str, str] = {
    f"{_COMPACTIONS}_stateful_mode#3": _COVERED,
    f"{_COMPACTIONS}_with_auto_previous_response_id_chain#3": _COMPACTED,
    "models/test_openai_responses/test_openai_responses_thinking_with_modified_history#1": _EDITED,
    f"{_SEARCHES}_client_tool_search_streaming#1": _SEARCH,
    f"{_SEARCHES}_client_tool_search_streaming#2": _SEARCH,
    f"{_SEARCHES}_execution_client_round_trip#1": _SEARCH,
    f"{_SEARCHES}_execution_client_round_trip#2": _SEARCH,
    f"{_SEARCHES}_hosted_tool_search_stateless_continuation_without_item_ids#1": _BARE,
    f"{_SEARCHES}_hosted_tool_search_stateless_continuation_without_item_ids#2": _BARE,
    f"{_SEARCHES}_native_tool_search_round_trip#1": _OLDER,
    f"{_SEARCHES}_native_tool_search_streaming#1": _OLDER,
}


@pytest.mark.parametrize("family", FAMILIES)
async def test_what_was_said_goes_back_as_it_went_then(family: str, provider: Provider) -> None:
    desk, count, wrong = Desk(provider.seat()), Counter[str](), []
    for records in conversations(family):
        talk: list[Message] = [user("hello")]
        begun, answer, before, reason = marks(records[0]), None, None, ""
        for record in map(mended, records):
            then = marks(record)
            if before is not None and (reason := uncompared(before, record, answer)):
                count[reason] += 1
                if reason != "again":
                    talk, begun = [user("hello")], then
            elif isinstance(answer, ModelResponse):
                talk += [answer.message, *results(answer.message)]
            desk.seat.say(replay(record))
            asked = len(desk.seat.asked)
            answer = await desk.ask(record, tuple(talk))
            if len(talk) > 1 and not reason:
                assert len(desk.seat.asked) == asked + 1, f"{record.id}: {answer}"
                sent = marks(record, desk.seat.asked[-1].body)
                agrees = sent == then[len(begun) :]
                count["agree" if agrees else "differ"] += 1
                if agrees == (record.id in OTHERWISE):
                    wrong.append(f"{record.id}\n  then {then[len(begun) :]}\n  now  {sent}")
            before, reason = record, ""
    await desk.close()
    print(f"{family}: {dict(count)}")
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
    assert +count == COUNTS[family]


def uncompared(before: Record, record: Record, answer: ModelResponse | ModelFailed | None) -> str:
    """Why a request says nothing about the answer before it, "" if it does."""
    if any(record.request_body.get(name) for name in ("previous_response_id", "conversation")):
        return "kept"
    if record.request_body == before.request_body or marks(record) == marks(before) != []:
        return "again"
    if not isinstance(answer, ModelResponse):
        return "no answer"
    return "" if len(marks(record)) > len(marks(before)) else "anew"


def results(message: Message) -> list[Message]:
    """Something for each call of a message, or something to say."""
    found = tuple(ToolResult(call.id, call.name, "done") for call in message.tool_calls)
    return [Message(Role.TOOL, found)] if found else [user("go on")]


def marks(record: Record, body: dict[str, Any] | None = None) -> Marks:
    """What is compared of a request: of the recorded one, or of another to the same interface."""
    asked = record.request_body if body is None else body
    return [mark for mark in _marks(record.path, asked) if not any(OWN in part for part in mark)]


def _marks(path: str, asked: dict[str, Any]) -> Marks:
    if path == "/v1/responses":
        told = asked["input"]
        return [mark for item in told if (mark := _item(item))] if isinstance(told, list) else []
    if path == "/v1/chat/completions":
        return [mark for message in asked["messages"] for mark in _chat(message)]
    messages = [(message["role"], message["content"]) for message in asked["messages"]]
    blocks = [(role, block) for role, content in messages for block in content if isinstance(block, dict)]
    return [mark for role, block in blocks if (mark := _block(role, block))]


def _chat(message: dict[str, Any]) -> Marks:
    if message["role"] == "tool":
        return [("result", message["tool_call_id"])]
    if message["role"] != "assistant":
        return []
    calls = [(call["id"], call["function"]) for call in message.get("tool_calls") or ()]
    said = [("words", _words(message["content"]))] if message.get("content") else []
    return said + [("call", id, told["name"], _plain(told["arguments"])) for id, told in calls]


def _item(item: dict[str, Any]) -> tuple[str, ...] | None:
    match item.get("type", "message"):
        case "message":
            words = _words(item["content"])
            return ("words", item.get("id") or "", words) if item["role"] == "assistant" and words else None
        case "function_call":
            return "call", item.get("id") or "", item["call_id"], item["name"], _plain(item["arguments"])
        case "function_call_output":
            return "result", item["call_id"]
        case "reasoning":
            return "reasoning", item["id"], item.get("encrypted_content") or "", _plain(item.get("summary"))
        case "additional_tools":
            return None
        case "tool_search_call" | "tool_search_output" as search:  # the tools in it are wording
            return search, item["execution"], item.get("id") or "", item.get("call_id") or ""
        case hosted:
            return hosted, _plain({key: value for key, value in item.items() if value is not None})


def _block(role: str, block: dict[str, Any]) -> tuple[str, ...] | None:
    match block["type"]:
        case "text" if role == "assistant":
            return "words", block["text"]
        case "text" | "image" | "document" | "container_upload" | "tool_addition":
            return None
        case "tool_use":
            return "call", block["id"], block["name"], _plain(block["input"])
        case "tool_result":
            return "result", block["tool_use_id"]
        case "thinking":
            return "thinking", block["signature"], block["thinking"]
        case other:
            return other, _plain({key: value for key, value in block.items() if key != "cache_control"})


def _words(content: Any) -> str:
    """The text of a message, written as one string or as parts. Recording made some quotation marks plain."""
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    return text.translate(_PLAINER)


def _plain(value: Any) -> str:
    """JSON in one way of writing it."""
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)
