"""A scripted reply, made into the answer that a provider would give."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from callboard.domain import codec
from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Media, Message, Opaque, Part, Reasoning, Role, Text, ToolCall, ToolResult
from callboard.domain.usage import Usage
from callboard.models.model import (
    CallDelta,
    Delta,
    FinishReason,
    ModelRequest,
    ModelResponse,
    ReasoningDelta,
    TextDelta,
)

Reply: TypeAlias = str | Part | Sequence[Part | str] | Message | ModelResponse

_BYTES_PER_TOKEN = 4
_MILLION = 1_000_000


def call(name: str, /, **arguments: Any) -> ToolCall:
    """A tool call for a script: `call("refund", order_id="A1", cents=500)`. Its id is made on sending."""
    return ToolCall("", name, arguments)


def response(reply: Reply, request: ModelRequest, name: str, price: tuple[int, int]) -> ModelResponse:
    """The whole answer that a reply stands for; it depends on its arguments alone.

    A ModelResponse is taken as it is. Calls without an id get `call_TURN_POSITION`. A token is four bytes.
    Counted as input is only what is new since the model last spoke, so that a late turn of a long
    conversation costs no more time than the first; a script that cares replies with a ModelResponse.

    Raises ModelFailed(INPUT) for something that is no reply.
    """
    if isinstance(reply, ModelResponse):
        return reply
    parts = tuple([_with_id(part, request.turn, at) for at, part in enumerate(_parts(reply))])
    message = Message(Role.ASSISTANT, parts)
    read, written = _tokens(_unread(request)), _tokens([message])
    cost = -(-(read * price[0] + written * price[1]) // _MILLION)  # up, so that nothing is free by rounding
    finish = FinishReason.TOOL_CALLS if message.tool_calls else FinishReason.STOP
    return ModelResponse(message, Usage(read, written, cost), finish, name)


def deltas(message: Message, chunk: int) -> Iterator[Delta]:
    """The pieces in which the message is streamed: texts in chunks of that many characters, 0 for whole."""
    calls = 0
    for part in message.parts:
        match part:
            case Text(text):
                yield from map(TextDelta, _chunks(text, chunk))
            case Reasoning(text):
                yield from map(ReasoningDelta, _chunks(text, chunk))
            case ToolCall(id, name, arguments, raw):
                written = codec.encode(arguments).decode() if raw is None else raw
                yield CallDelta(calls, id, name, written)
                calls += 1
            case Media() | ToolResult() | Opaque():  # whole in the answer; no provider streams them in pieces
                pass


def _parts(reply: Any) -> Sequence[Part]:
    match reply:
        case str():
            return (Text(reply),)
        case Message(parts=parts):
            return parts
        case list() | tuple():
            return [Text(part) if isinstance(part, str) else _part(part) for part in reply]
        case _:
            return (_part(reply),)


def _part(value: Any) -> Part:
    if isinstance(value, Text | ToolCall | ToolResult | Media | Reasoning | Opaque):
        return value
    raise ModelFailed(
        f"the script replied with {type(value).__name__}",
        remedy="reply with a text, a call, a list of parts, a Message or a ModelResponse",
        kind=ErrorKind.INPUT,
    )


def _with_id(part: Part, turn: int, position: int) -> Part:
    if isinstance(part, ToolCall) and not part.id:
        return ToolCall(f"call_{turn}_{position}", part.name, part.arguments, part.raw)
    return part


def _unread(request: ModelRequest) -> Iterator[Message]:
    """The messages since the model last spoke, backwards."""
    for message in reversed(request.messages):
        if message.role is Role.ASSISTANT:
            return
        yield message


def _tokens(messages: Iterator[Message] | list[Message]) -> int:
    size = sum(_bytes(part) for message in messages for part in message.parts)
    return -(-size // _BYTES_PER_TOKEN)


def _bytes(part: Part) -> int:
    match part:
        case Text(text) | Reasoning(text):
            return len(text.encode("utf-8", "surrogatepass"))
        case ToolCall(_, name, arguments, raw):
            return len(name) + len(codec.encode(arguments) if raw is None else raw)
        case ToolResult(_, _, content):
            return len(codec.encode(content))
        case Media(ref):
            return len(ref)
        case Opaque(_, _, data):
            return len(data)


def _chunks(text: str, size: int) -> Iterator[str]:
    if not text:
        return
    step = size or len(text)
    for start in range(0, len(text), step):
        yield text[start : start + step]
