"""What a provider says over the wire, made up here: one short answer, whole and as a stream of 200 chunks."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

CHUNKS = 200
WORDS = [f"word{number:03} " for number in range(CHUNKS)]
TEXT = "".join(WORDS)
TOOLS = "/tools"  # a path that begins so is answered with a tool's call until there is a tool's result

_CHAT = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-4o", "service_tier": "default"}
_CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 400,
    "total_tokens": 520,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
_MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {
        "input_tokens": 56,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 64,
        "output_tokens": 1,
        "service_tier": "standard",
    },
}


def answers() -> dict[tuple[str, bool], tuple[str, Sequence[bytes]]]:
    """By path and by whether it is streamed: the content type, and the pieces in which it is sent."""
    return {
        ("/v1/chat/completions", False): ("application/json", [_json(_chat())]),
        (f"{TOOLS}/v1/chat/completions", False): ("application/json", [_json(_tool_call())]),
        ("/v1/chat/completions", True): ("text/event-stream", [*_events(_chat_chunks()), b"data: [DONE]\n\n"]),
        ("/v1/messages", False): ("application/json", [_json(_message())]),
        ("/v1/messages", True): ("text/event-stream", [*_named_events(_message_events())]),
    }


def _chat() -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {**_CHAT, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}


def _tool_call() -> dict[str, Any]:
    function = {"name": "weather", "arguments": '{"city":"Paris"}'}
    call = {"id": "call_1", "type": "function", "function": function}
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
    return {**_CHAT, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}


def _chat_chunks() -> Iterable[dict[str, Any]]:
    head = {**_CHAT, "object": "chat.completion.chunk", "usage": None}
    yield head | {"choices": [_choice({"role": "assistant", "content": "", "refusal": None})]}
    for word in WORDS:
        yield head | {"choices": [_choice({"content": word})]}
    yield head | {"choices": [_choice({}, "stop")]}
    yield head | {"choices": [], "usage": _CHAT_USAGE}


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _message() -> dict[str, Any]:
    usage = {**_MESSAGE["usage"], "output_tokens": 400}
    return {**_MESSAGE, "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn", "usage": usage}


def _message_events() -> Iterable[dict[str, Any]]:
    yield {"type": "message_start", "message": _MESSAGE}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in WORDS:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 400}}
    yield {"type": "message_stop"}


def _events(told: Iterable[dict[str, Any]]) -> Iterable[bytes]:
    return (b"data: " + _json(each) + b"\n\n" for each in told)


def _named_events(told: Iterable[dict[str, Any]]) -> Iterable[bytes]:
    return (b"event: %b\ndata: %b\n\n" % (each["type"].encode(), _json(each)) for each in told)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
