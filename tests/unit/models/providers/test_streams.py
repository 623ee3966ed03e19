"""What a provider streams comes as it comes, and is whole in the end."""

import json
from typing import Any

import pytest

from callboard.domain.message import Opaque, Reasoning, Text, ToolCall
from callboard.domain.usage import Usage
from callboard.models import CallDelta, FinishReason, ReasoningDelta, TextDelta
from tests.unit.models.providers.asking import answered, joined, model_at, streamed
from tests.unit.models.providers.front import Answer, Front, chat, events, messages, plain

WORDS = "Grüße, 世界 🌍"


def calls(*pieces: tuple[int, str | None, str | None, str]) -> dict[str, Any]:
    made = []
    for index, id, name, arguments in pieces:
        call: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
        if id:
            call |= {"id": id, "type": "function"}
            call["function"]["name"] = name
        made.append(call)
    return {"tool_calls": made}


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_chat_words_come_piece_by_piece_whatever_the_network_cuts(here: Front, size: int) -> None:
    usage = {
        "prompt_tokens": 70,
        "completion_tokens": 30,
        "total_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    here.say(
        Answer(chat({"role": "assistant", "content": ""}, {"content": WORDS}, {"content": "!"}, usage=usage), size=size)
    )
    deltas, answer = await streamed(model_at(here))
    assert [each.text for each in deltas if isinstance(each, TextDelta)] == [WORDS, "!"]
    assert answer.message.parts == (Text(f"{WORDS}!"),)
    assert (answer.finish, answer.model, answer.id, answer.provider) == (
        FinishReason.STOP,
        "gpt-x-1",
        "chatcmpl-1",
        "openai",
    )
    assert answer.usage == Usage(70, 30, 0, 60, 20)


async def test_parallel_calls_are_told_apart(here: Front) -> None:
    here.say(
        chat(
            calls((0, "c1", "sky", ""), (1, "c2", "sea", "")),
            calls((0, None, None, '{"at":')),
            calls((1, None, None, '{"at":2}')),
            calls((0, None, None, "1}")),
            finish="tool_calls",
        )
    )
    deltas, answer = await streamed(model_at(here))
    assert answer.message.tool_calls == (ToolCall("c1", "sky", {"at": 1}), ToolCall("c2", "sea", {"at": 2}))
    assert answer.finish is FinishReason.TOOL_CALLS
    pieces = [each for each in deltas if isinstance(each, CallDelta)]
    assert [(each.index, each.id, each.name) for each in pieces if each.id] == [(0, "c1", "sky"), (1, "c2", "sea")]
    written = {at: "".join([p.arguments_text for p in pieces if p.index == at]) for at in (0, 1)}
    assert written == {0: '{"at":1}', 1: '{"at":2}'}


@pytest.mark.parametrize("written", ['{"at":', "[1]", "null", '"x"'])
async def test_arguments_that_are_no_object_are_kept_as_they_were_written(here: Front, written: str) -> None:
    here.say(chat(calls((0, "c1", "sky", written)), finish="tool_calls"))
    assert (await answered(model_at(here))).message.parts == (ToolCall("c1", "sky", raw=written),)


async def test_a_refusal_is_words_with_a_reason_of_its_own(here: Front) -> None:
    here.say(chat({"refusal": "I will "}, {"refusal": "not."}))
    deltas, answer = await streamed(model_at(here))
    assert (answer.finish, answer.message.text) == (FinishReason.REFUSAL, "I will not.")
    assert joined(deltas, TextDelta) == "I will not."


async def test_an_answer_that_ran_out_of_room_says_so(here: Front) -> None:
    here.say(chat({"content": "and then"}, finish="length"))
    assert (await answered(model_at(here))).finish is FinishReason.LENGTH


async def test_thoughts_of_a_compatible_server_are_thoughts(here: Front) -> None:
    here.say(chat({"reasoning_content": "hm"}, {"content": "yes"}))
    deltas, answer = await streamed(model_at(here, "openai-compatible:deep", upstream="rack"))
    assert joined(deltas, ReasoningDelta) == "hm"
    thought = answer.message.parts[0]
    assert isinstance(thought, Reasoning)
    assert (thought.text, thought.provider, json.loads(thought.opaque or "")) == (
        "hm",
        "openai-compatible/rack",
        {"id": "reasoning_content"},
    )


@pytest.mark.parametrize("size", [1, 4096])
async def test_messages_keep_thoughts_words_and_calls_in_their_order(here: Front, size: int) -> None:
    body = messages(
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [{"type": "thinking_delta", "thinking": WORDS}, {"type": "signature_delta", "signature": "SIG"}],
        ),
        ({"type": "redacted_thinking", "data": "HIDDEN"}, []),
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "so"}]),
        (
            {"type": "tool_use", "id": "t1", "name": "sky", "input": {}},
            [
                {"type": "input_json_delta", "partial_json": '{"at"'},
                {"type": "input_json_delta", "partial_json": ":1}"},
            ],
        ),
        stop="tool_use",
    )
    here.say(Answer(body, size=size))
    deltas, answer = await streamed(model_at(here, "anthropic:claude-x"))
    assert answer.message.parts == (
        Reasoning(WORDS, '{"signature":"SIG"}', "anthropic"),
        Reasoning("", '{"id":"redacted_thinking","signature":"HIDDEN"}', "anthropic"),
        Text("so"),
        ToolCall("t1", "sky", {"at": 1}),
    )
    assert (joined(deltas, ReasoningDelta), joined(deltas, TextDelta)) == (WORDS, "so")
    assert answer.usage == Usage(35, 9, 0, 20, 0, 10)
    assert (answer.finish, answer.provider) == (FinishReason.TOOL_CALLS, "anthropic")


async def test_a_search_that_the_provider_made_is_kept_unread(here: Front) -> None:
    found = {"type": "web_search_result", "url": "https://x.example", "title": "X", "encrypted_content": "ENC"}
    here.say(
        messages(
            (
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
                [{"type": "input_json_delta", "partial_json": '{"query":"x"}'}],
            ),
            ({"type": "web_search_tool_result", "tool_use_id": "s1", "content": [found]}, []),
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "found"}]),
        )
    )
    deltas, answer = await streamed(model_at(here, "anthropic:claude-x"))
    asked, got, said = answer.message.parts
    assert isinstance(asked, Opaque) and isinstance(got, Opaque)
    assert (asked.provider, asked.kind, got.kind) == ("anthropic", "builtin-tool-call", "builtin-tool-return")
    assert "ENC" in got.data
    assert said == Text("found")
    assert not [each for each in deltas if isinstance(each, CallDelta)]  # nobody here has to make that call


def response(status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 17,
    }
    about = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-y-1", "parallel_tool_calls": True}
    return about | {"tool_choice": "auto", "tools": [], "status": status, "output": output, "usage": usage} | more


def responses(last: dict[str, Any]) -> bytes:
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": []}
    thought = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "ENC"}
    said: list[dict[str, Any]] = [
        {"type": "response.created", "response": response("in_progress", [], usage=None)},
        {"type": "response.output_item.added", "output_index": 0, "item": thought},
        {"type": "response.output_item.done", "output_index": 0, "item": thought},
        {"type": "response.output_item.added", "output_index": 1, "item": item},
        {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 1,
            "content_index": 0,
            "delta": "yes",
        },
        last,
    ]
    return events(*[each | {"sequence_number": at} for at, each in enumerate(said)], named=True)


async def test_responses_keep_what_belongs_to_their_items(here: Front) -> None:
    here.say(responses({"type": "response.completed", "response": response("completed", [])}))
    deltas, answer = await streamed(model_at(here, "openai-responses:gpt-y"))
    assert answer.message.parts == (
        Reasoning("", '{"id":"rs_1","signature":"ENC"}', "openai-responses"),
        Text("yes"),
        Opaque("openai-responses", "slip", '{"id":"msg_1"}'),
    )
    assert joined(deltas, TextDelta) == "yes"
    assert (answer.usage, answer.finish, answer.provider) == (Usage(11, 6, 0, 4, 5), FinishReason.STOP, "openai")


async def test_a_response_that_ran_out_of_room_says_so(here: Front) -> None:
    short = response("incomplete", [], incomplete_details={"reason": "max_output_tokens"})
    here.say(responses({"type": "response.incomplete", "response": short}))
    assert (await answered(model_at(here, "openai-responses:gpt-y"))).finish is FinishReason.LENGTH


async def test_asked_for_in_one_piece_an_answer_is_streamed_in_one_piece(here: Front) -> None:
    message = {"role": "assistant", "content": WORDS, "tool_calls": None}
    here.say(
        plain(
            {
                "id": "chatcmpl-2",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-x-1",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            }
        )
    )
    deltas, answer = await streamed(model_at(here, stream=False))
    assert deltas == [TextDelta(WORDS)]
    assert (answer.message.text, answer.usage) == (WORDS, Usage(7, 3))
    assert here.asked[0].body.get("stream") in (None, False)
