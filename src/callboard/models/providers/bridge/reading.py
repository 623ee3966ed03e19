"""What a provider answered, as ours."""

from typing import Any

import msgspec
from pydantic_ai.messages import ModelResponse as Answered
from pydantic_ai.messages import TextPart, ThinkingPart, ToolCallPart

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Opaque, Part, Reasoning, Role, Text, ToolCall
from callboard.domain.usage import Usage
from callboard.models.info import ModelInfo
from callboard.models.model import FinishReason, ModelResponse
from callboard.models.providers.bridge.opaque import SLIP, kept_whole, slip_of

_FINISHES = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "tool_call": FinishReason.TOOL_CALLS,
}


def answer_of(answer: Answered, info: ModelInfo, mark: str) -> ModelResponse:
    """The whole answer.

    Raises ModelFailed for one that is none: INCOMPLETE when the provider is still at work or paused,
    CONTENT_FILTERED when a filter left nothing of it, MALFORMED_OUTPUT when it is empty without a reason or says
    itself that it went wrong.
    """
    details = answer.provider_details or {}
    if answer.state != "complete":
        raise _failure(info, ErrorKind.INCOMPLETE, "has no answer yet", "it works on, or waits to be asked to go on")
    parts = _parts(answer, mark)
    finish = _finish(answer, details)
    if finish is FinishReason.REFUSAL and (words := details.get("refusal")) and not _has_words(parts):
        parts.append(Text(words))
    if finish is FinishReason.CONTENT_FILTER and not parts:
        raise _failure(info, ErrorKind.CONTENT_FILTERED, "gave no answer", "a content filter held it back")
    if finish is FinishReason.ERROR:
        raise _failure(info, ErrorKind.MALFORMED_OUTPUT, "went wrong in its answer", str(details.get("finish_reason")))
    if not parts and answer.finish_reason is None:
        raise _failure(info, ErrorKind.MALFORMED_OUTPUT, "gave an empty answer", "there is no reason to stop in it")
    message = Message(Role.ASSISTANT, tuple(parts))
    if finish is FinishReason.STOP and message.tool_calls:
        finish = FinishReason.TOOL_CALLS
    return ModelResponse(
        message,
        _usage(answer),
        finish,
        answer.model_name or info.name,
        answer.provider_response_id,
        info.provider,
    )


def _parts(answer: Answered, mark: str) -> list[Part]:
    found: list[Part] = []
    for part in answer.parts:
        slip = None
        if isinstance(part, TextPart):
            slip = slip_of(part)
            if part.content or slip:
                found.append(Text(part.content))
        elif isinstance(part, ToolCallPart):
            slip = slip_of(part)
            found.append(_call(part))
        elif isinstance(part, ThinkingPart):
            found.append(Reasoning(part.content, slip_of(part), mark))
        else:
            found.append(kept_whole(part, mark))
        if slip is not None:
            found.append(Opaque(mark, SLIP, slip))
    return found


def _call(part: ToolCallPart) -> ToolCall:
    if isinstance(part.args, dict):
        return ToolCall(part.tool_call_id, part.tool_name, part.args)
    written = part.args or "{}"
    try:
        arguments = msgspec.json.decode(written)
    except (msgspec.DecodeError, UnicodeError):
        arguments = None
    if isinstance(arguments, dict):
        return ToolCall(part.tool_call_id, part.tool_name, arguments)
    return ToolCall(part.tool_call_id, part.tool_name, raw=written)


def _finish(answer: Answered, details: dict[str, Any]) -> FinishReason:
    if details.get("finish_reason") == "refusal" or "refusal" in details:
        return FinishReason.REFUSAL
    if answer.finish_reason is None:
        return FinishReason.STOP  # whether it came to its end is asked elsewhere; this reason is only unknown
    return _FINISHES.get(answer.finish_reason, FinishReason.ERROR)


def _usage(answer: Answered) -> Usage:
    used = answer.usage
    return Usage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cached_tokens=used.cache_read_tokens,
        reasoning_tokens=used.output_reasoning_tokens,
        written_tokens=used.cache_write_tokens,
    )


def _has_words(parts: list[Part]) -> bool:
    return any(isinstance(part, Text) and part.text for part in parts)


def _failure(info: ModelInfo, kind: ErrorKind, what: str, why: str) -> ModelFailed:
    return ModelFailed(f"{info.name} {what}", why=why, kind=kind, detail={"sent": True})
