"""What a model is asked, what it streams back, and the protocol that every provider's adapter serves."""

from collections.abc import AsyncIterator, Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

import msgspec

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message
from callboard.domain.toolspec import ToolSpec
from callboard.domain.usage import NOTHING, Usage
from callboard.models.info import Price


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model.

    Attributes:
        messages: the conversation, system messages first.
        tools: the tools that the model may call.
        tool_choice: auto, none, required, or the name of the tool that it must call.
        parallel_tools: whether one answer may hold several calls.
        output_schema: JSON schema that the answer's text has to fit.
        max_output_tokens: the provider stops there; None for its own limit.
        temperature: None for the provider's default.
        stop: texts at which the model stops.
        reasoning: how hard to think, in the provider's word (low, medium, high).
        turn: how many assistant messages the agent's run has so far.
        attempt: 1 for the first try of this call.
        metadata: passed on to providers that keep such, for finding the call in their records.
        media: the bytes behind the messages' `blob:` references.
        cache: whether the provider is told to keep the stable beginning (prompt, tools, conversation so far).
        connect: seconds to reach the provider.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    parallel_tools: bool = True
    output_schema: dict[str, Any] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    reasoning: str | None = None
    turn: int = 0
    attempt: int = 1
    metadata: dict[str, str] | None = None
    media: Mapping[str, bytes] = {}
    cache: bool = True
    connect: float = 10.0


class FinishReason(StrEnum):
    """Why the model stopped. With REFUSAL the message's text is the refusal."""

    STOP = "stop"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    ERROR = "error"


class TextDelta(msgspec.Struct, frozen=True, tag="text"):
    """Words as they come."""

    text: str


class ReasoningDelta(msgspec.Struct, frozen=True, tag="reasoning"):
    """Thoughts as they come, as far as the provider shows them."""

    text: str


class CallDelta(msgspec.Struct, frozen=True, tag="call"):
    """A piece of a tool call.

    `index` tells parallel calls apart, counted from 0. `id` and `name` stand in the first piece of a call and
    are "" afterwards; the pieces' `arguments_text` joined is the JSON of its arguments.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments_text: str = ""


class RestartDelta(msgspec.Struct, frozen=True, tag="restart"):
    """What was streamed of this answer is void: another model, or the same one again, begins anew."""

    why: str
    model: str = ""


class Considered(msgspec.Struct, frozen=True, omit_defaults=True):
    """One candidate of a route: whether it was asked, or why not."""

    model: str
    reason: str


class ModelResponse(msgspec.Struct, frozen=True, omit_defaults=True, tag="response"):
    """The whole answer, last in every stream.

    Attributes:
        message: the assistant's message, its parts (thoughts, words, calls) in the provider's order.
        usage: tokens and cost of this call.
        finish: why the model stopped.
        model: which model answered, as the provider names it.
        id: the provider's id of the answer, if it has one.
        provider: whose model it was.
        price: what its cost was computed with.
        route: the candidates that the route had, in order, with the reason for each; the last one answered.
        cached: the answer was kept from an earlier equal request; `saved` is what that one had cost.
        bounded: the limit of the agent that left no room for a longer answer, "" if none did.
    """

    message: Message
    usage: Usage = NOTHING
    finish: FinishReason = FinishReason.STOP
    model: str = ""
    id: str | None = None
    provider: str = ""
    price: Price | None = None
    route: tuple[Considered, ...] = ()
    cached: bool = False
    saved: Usage | None = None
    bounded: str = ""


Delta: TypeAlias = TextDelta | ReasoningDelta | CallDelta | RestartDelta
StreamPart: TypeAlias = Delta | ModelResponse


class RetryLater(Exception):
    """No model can answer before then: wait outside, without holding anything, and ask again.

    Args:
        at: seconds since the Unix epoch.
        why: what stands in the way.
    """

    def __init__(self, at: float, why: str = "") -> None:
        super().__init__(why or "no model can answer now")
        self.at = at


class Model(Protocol):
    """A language model behind some provider's interface.

    One that knows more of itself has an attribute `info` as well, see `callboard.models.info`.
    """

    @property
    def name(self) -> str:
        """What routes and records call it."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        """Ask the model. Yields deltas as they come, then exactly one ModelResponse, then nothing.

        Raises ModelFailed, whose kind says what may be done about it: RATE_LIMITED, OVERLOADED, UPSTREAM_DOWN
        (each may have `detail["retry_after"]` in seconds), TIMEOUT, QUOTA, AUTHENTICATION, INVALID_REQUEST,
        CONTEXT_TOO_LONG, CONTENT_FILTERED, or MALFORMED_OUTPUT (an answer that is none: a page of HTML, a stream
        that ends before its end, a broken chunk). `detail["sent"]` is False when the provider surely did no work.
        It never waits for a limit to pass and never repeats a request.
        """
        ...


async def respond(
    model: Model, request: ModelRequest, on_delta: Callable[[Delta], None] | None = None
) -> ModelResponse:
    """Drain a model's stream and return the answer.

    Args:
        model: whom to ask.
        request: what to ask.
        on_delta: called with each delta; it must not block, so put it into a queue.

    Raises ModelFailed as `Model.stream` does, and of kind MALFORMED_OUTPUT when the stream ends without an
    answer or goes on after it.
    """
    return await drain(model.stream(request), model.name, on_delta)


async def drain(
    stream: AsyncIterator[StreamPart], name: str, on_delta: Callable[[Delta], None] | None = None
) -> ModelResponse:
    """Drain a stream of the model of that name, as `respond` does, and close it."""
    answer: ModelResponse | None = None
    try:
        async for part in stream:
            if answer is not None:
                raise _malformed(name, "went on after its answer")
            if isinstance(part, ModelResponse):
                answer = part
            elif on_delta is not None:
                on_delta(part)
    finally:
        # A stream left half-way holds a connection: do not wait for the garbage collector.
        if (close := getattr(stream, "aclose", None)) is not None:
            await close()
    if answer is None:
        raise _malformed(name, "ended without an answer")
    return answer


def _malformed(name: str, what: str) -> ModelFailed:
    return ModelFailed(f"the stream of {name} {what}", kind=ErrorKind.MALFORMED_OUTPUT)
