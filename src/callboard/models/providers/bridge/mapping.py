"""A request of ours as the adapter library takes it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequestPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from pydantic_ai.messages import ModelRequest as Asked
from pydantic_ai.messages import ModelResponse as Answered
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Media, Message, Opaque, Reasoning, Role, Text, ToolCall, ToolResult
from callboard.domain.toolspec import ToolSpec
from callboard.models.model import ModelRequest
from callboard.models.providers.bridge.opaque import SLIP, restored, thought, with_slip

_EFFORTS = frozenset({"minimal", "low", "medium", "high", "xhigh", "max"})
_URLS = {"image": ImageUrl, "audio": AudioUrl, "video": VideoUrl}


def messages_of(request: ModelRequest, mark: str, system: str, *, bare_thoughts: bool = False) -> list[ModelMessage]:
    """The conversation.

    What a provider kept for itself goes back to that provider only: `mark` is this one's name in our messages,
    `system` its name in the library's, `bare_thoughts` whether its thoughts bear no sign of it. Raises ModelFailed
    of kind INVALID_REQUEST for media without bytes.
    """
    found: list[ModelMessage] = []
    asking: list[ModelRequestPart] = []
    for message in request.messages:
        if message.role is not Role.ASSISTANT:
            asking.extend(_asked(message, request.media))
            continue
        if asking:
            found.append(Asked(asking))
            asking = []
        if parts := list(_said(message, mark, system, bare_thoughts)):
            found.append(Answered(parts, provider_name=system))
    if asking:
        found.append(Asked(asking))
    return found


def settings_of(request: ModelRequest) -> dict[str, Any]:
    """The settings that the library has for all providers."""
    chosen: dict[str, Any] = {}
    if request.max_output_tokens is not None:
        chosen["max_tokens"] = request.max_output_tokens
    if request.temperature is not None:
        chosen["temperature"] = request.temperature
    if request.stop:
        chosen["stop_sequences"] = list(request.stop)
    if request.reasoning in _EFFORTS:
        chosen["thinking"] = request.reasoning
    if request.tools:
        if not request.parallel_tools:
            chosen["parallel_tool_calls"] = False
        if request.tool_choice in ("none", "required"):
            chosen["tool_choice"] = request.tool_choice
        elif request.tool_choice != "auto":
            chosen["tool_choice"] = [request.tool_choice]
    return chosen


def parameters_of(
    request: ModelRequest, tools: list[ToolDefinition], hosted: Sequence[Any], native_schema: bool
) -> ModelRequestParameters:
    """Tools and the shape of the answer.

    A schema goes into the provider's own mode for it; to a model that has none, it is said in the instructions.
    """
    if request.output_schema is None:
        return ModelRequestParameters(function_tools=tools, native_tools=list(hosted))
    return ModelRequestParameters(
        function_tools=tools,
        native_tools=list(hosted),
        output_mode="native" if native_schema else "prompted",
        output_object=OutputObjectDefinition(json_schema=request.output_schema, name="answer"),
    )


def definition_of(tool: ToolSpec) -> ToolDefinition:
    """A tool as the library describes it."""
    return ToolDefinition(name=tool.name, parameters_json_schema=tool.parameters, description=tool.description)


def _asked(message: Message, media: Mapping[str, bytes]) -> Iterator[ModelRequestPart]:
    said: list[UserContent] = []
    for part in message.parts:
        match part:
            case Text(text) if message.role is Role.SYSTEM:
                yield SystemPromptPart(text)
            case Text(text):
                said.append(text)
            case Media():
                said.append(_media(part, media))
            case ToolResult(call_id, name, content, error):
                yield ToolReturnPart(name, content, call_id, outcome="failed" if error else "success")
            case ToolCall() | Reasoning() | Opaque():  # only a model says such
                pass
    if said:
        yield UserPromptPart(said[0] if len(said) == 1 and isinstance(said[0], str) else said)


def _said(message: Message, mark: str, system: str, bare: bool) -> Iterator[Any]:
    last: Any = None
    for part in message.parts:
        made: Any = None
        match part:
            case Text(text):
                made = TextPart(text)
            case ToolCall(id, name, arguments, raw):
                made = ToolCallPart(name, arguments if raw is None else raw, id)
            case Reasoning(provider=provider):
                made = thought(part, system, bare) if provider == mark else None
            case Opaque(provider, kind, data):
                if provider != mark:
                    continue
                if kind == SLIP:
                    last = with_slip(last, data, system) if last is not None else None
                    continue
                made = restored(part)
            case ToolResult() | Media():  # no model says such
                continue
        if last is not None:
            yield last
        last = made
    if last is not None:
        yield last


def _media(part: Media, media: Mapping[str, bytes]) -> UserContent:
    if part.ref.startswith(("https://", "http://")):
        made: UserContent = _URLS.get(part.media_type.partition("/")[0], DocumentUrl)(
            part.ref, media_type=part.media_type
        )
        return made
    data = media.get(part.ref, media.get(part.ref.removeprefix("blob:")))
    if data is None:
        raise ModelFailed(
            f"the bytes of {part.name or part.ref[:80]!r} are missing",
            why="a request brings along what its messages refer to",
            remedy="hand them in as ModelRequest.media, or refer to an http(s) address",
            kind=ErrorKind.INVALID_REQUEST,
            detail={"sent": False},
        )
    return BinaryContent(data, media_type=part.media_type)
