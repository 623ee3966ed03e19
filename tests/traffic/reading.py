"""What a recorded answer says, read straight from the record by the providers' public formats.

Nothing here knows of Callboard's adapters or of the library below them: it is what they are compared with.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.traffic.records import Record, data, events

Json = dict[str, Any]
SEARCH = "search_tools"  # a search for tools has no name in the record: this is the one that calls of it get


@dataclass(frozen=True, slots=True)
class Said:
    """One answer.

    Attributes:
        text: all words, joined; a refusal's, if it is one.
        calls: id, name and arguments of each call of a tool of ours.
        stop: the provider's own word for why it stopped.
        refused: it is a refusal.
        tokens: input, output, of the input those from a cache, of the output those of reasoning.
        hosted: types of the parts that the provider's own tools made.
        thoughts: signatures and encrypted items of the reasoning, in order; "" for one without.
    """

    text: str
    calls: tuple[tuple[str, str, Any], ...]
    stop: str
    refused: bool
    tokens: tuple[int, int, int, int]
    hosted: tuple[str, ...]
    thoughts: tuple[str, ...]


def said(record: Record) -> Said:
    """Read a record whose status is 200."""
    whole: Json = _fold(record) if record.streamed else record.response_body
    return READERS[record.path](whole)


def final_event(record: Record) -> int:
    """Which event of a stream makes its answer whole, counted from 0: a cut before the end of it must be noticed."""
    is_last = _FINAL[record.path]
    for at, event in enumerate(events(record.stream_text or "")):
        told = data(event)
        if told and told != "[DONE]" and is_last(json.loads(told)):
            return at
    raise AssertionError(f"{record.id} has no final event")


def _chat(whole: Json) -> Said:
    (choice,) = whole["choices"]
    message, usage = choice["message"], whole["usage"]
    calls = [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in _list(message, "tool_calls")
    ]
    refusal = message.get("refusal") or ""
    return Said(
        text=(message.get("content") or "") + refusal,
        calls=tuple((id, name, json.loads(arguments)) for id, name, arguments in calls),
        stop=choice["finish_reason"],
        refused=bool(refusal),
        tokens=(
            usage["prompt_tokens"],
            usage["completion_tokens"],
            (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
            (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0,
        ),
        hosted=(),
        thoughts=(),
    )


def _responses(whole: Json) -> Said:
    items, usage = whole["output"], whole["usage"]
    content = [part for item in items if item["type"] == "message" for part in item["content"]]
    refusals = [part["refusal"] for part in content if part["type"] == "refusal"]
    calls = [item for item in items if item["type"] == "function_call" or _is_search_for_us(item)]
    return Said(
        text="".join([part["text"] for part in content if part["type"] == "output_text"] + refusals),
        calls=tuple((call["call_id"], call.get("name", SEARCH), _read(call["arguments"])) for call in calls),
        stop=whole["status"],
        refused=bool(refusals),
        tokens=(
            usage["input_tokens"],
            usage["output_tokens"],
            usage["input_tokens_details"]["cached_tokens"],
            usage["output_tokens_details"]["reasoning_tokens"],
        ),
        hosted=tuple(
            item["type"] for item in items if item not in calls and item["type"] not in ("message", "reasoning")
        ),
        thoughts=tuple(item.get("encrypted_content") or "" for item in items if item["type"] == "reasoning"),
    )


def _anthropic(whole: Json) -> Said:
    """Input is what was read anew, written to the cache and taken from it, together: they are reported apart.

    What a compaction took is reported beside the rest and billed like it; what an adviser took, another model, is
    reported beside it as well, and not counted here.
    """
    blocks, usage = whole["content"], whole["usage"]
    billed = [usage] + [each for each in _list(usage, "iterations") if each["type"] == "compaction"]
    fresh, written, kept, output = (
        sum(each.get(name) or 0 for each in billed)
        for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    )
    ours = ("text", "tool_use", "thinking", "redacted_thinking")
    return Said(
        text="".join(block["text"] for block in blocks if block["type"] == "text"),
        calls=tuple((block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"),
        stop=whole["stop_reason"],
        refused=whole["stop_reason"] == "refusal",
        tokens=(
            fresh + written + kept,
            output,
            kept,
            (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
        ),
        hosted=tuple(block["type"] for block in blocks if block["type"] not in ours),
        thoughts=tuple(
            block.get("signature") or block.get("data") or ""
            for block in blocks
            if block["type"] in ("thinking", "redacted_thinking")
        ),
    )


def _fold(record: Record) -> Json:
    told = [data(event) for event in events(record.stream_text or "")]
    return _FOLDERS[record.path]([json.loads(text) for text in told if text not in ("", "[DONE]")])


def _fold_chat(chunks: Iterable[Json]) -> Json:
    message: Json = {"content": "", "refusal": "", "tool_calls": []}
    whole: Json = {"choices": [{"message": message, "finish_reason": None}], "usage": None}
    for chunk in chunks:
        whole["usage"] = chunk.get("usage") or whole["usage"]
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["refusal"] += delta.get("refusal") or ""
            whole["choices"][0]["finish_reason"] = choice["finish_reason"] or whole["choices"][0]["finish_reason"]
            for piece in _list(delta, "tool_calls"):
                if piece["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append({"id": piece["id"], "function": {"name": "", "arguments": ""}})
                function = message["tool_calls"][piece["index"]]["function"]
                function["name"] += piece["function"].get("name") or ""
                function["arguments"] += piece["function"].get("arguments") or ""
    return whole


def _fold_responses(told: Iterable[Json]) -> Json:
    """The last event holds the whole answer."""
    *_, last = told
    return dict(last["response"])


def _fold_anthropic(told: Iterable[Json]) -> Json:
    whole: Json = {}
    for event in told:
        match event["type"]:
            case "message_start":
                whole = event["message"]
            case "content_block_start":
                whole["content"].append({**event["content_block"], "json": ""})
            case "content_block_delta":
                _grow(whole["content"][event["index"]], event["delta"])
            case "message_delta":
                whole.update(event["delta"])
                whole["usage"] |= {key: value for key, value in event["usage"].items() if value is not None}
    for block in whole["content"]:
        if block["json"]:
            block["input"] = json.loads(block["json"])
    return whole


def _grow(block: Json, delta: Json) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "input_json_delta":
            block["json"] += delta["partial_json"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = block.get("signature", "") + delta["signature"]
        case "citations_delta" | "compaction_delta":
            pass
        case other:
            raise AssertionError(f"a delta that this reader does not know: {other}")


def _is_search_for_us(item: Json) -> bool:
    """A search for tools that the asker is to make, and not the provider."""
    return bool(item["type"] == "tool_search_call" and item["execution"] == "client")


def _read(arguments: Any) -> Any:
    return json.loads(arguments) if isinstance(arguments, str) else arguments


def _list(where: Json, name: str) -> list[Json]:
    return where.get(name) or []


READERS: dict[str, Callable[[Json], Said]] = {
    "/v1/chat/completions": _chat,
    "/v1/responses": _responses,
    "/v1/messages": _anthropic,
}
_FOLDERS: dict[str, Callable[[Iterable[Json]], Json]] = {
    "/v1/chat/completions": _fold_chat,
    "/v1/responses": _fold_responses,
    "/v1/messages": _fold_anthropic,
}
_FINAL: dict[str, Callable[[Json], bool]] = {
    "/v1/chat/completions": lambda told: any(choice["finish_reason"] for choice in told["choices"]),
    "/v1/responses": lambda told: told["type"] in ("response.completed", "response.incomplete", "response.failed"),
    "/v1/messages": lambda told: told["type"] == "message_stop",
}
