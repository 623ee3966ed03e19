"""One turn of an agent: a model call, then the tool calls that it asks for. Each is an effect of its own, so that
a crash between two of them repeats neither."""

from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.agents.talk import Talk
from callboard.agents.tool import JournaledTool, refusal
from callboard.domain.codec import digest
from callboard.domain.errors import Failure, ModelFailed, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Role, ToolCall, ToolResult
from callboard.domain.retry import Retry
from callboard.domain.usage import Usage
from callboard.engine.context import Context
from callboard.engine.effect import Attempt, Effect, Outcome, Reservation
from callboard.models import FinishReason, ModelRequest, ModelResponse, RetryLater, respond
from callboard.tools import SideEffect

_RETRY = Retry(attempts=4, first=0.5, longest=60.0)
_RETRYABLE = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.UPSTREAM_DOWN, ErrorKind.TIMEOUT})
_OUTPUT_TOKENS = 4_096  # reserved where the agent declares no bound


class _Response:
    """Loads a stored response."""

    def load(self, value: Any, *, trusted: bool = False) -> ModelResponse:
        return msgspec.convert(value, ModelResponse)


_RESPONSE = _Response()


async def ask_model(ctx: Context, talk: Talk) -> ModelResponse:
    """Calls the model with the conversation so far, and adds its answer to it.

    The intent before the call reserves its usage; a call whose outcome never came is charged in full.
    Raises ModelFailed.
    """
    role, conversation = talk.role, talk.conversation

    async def run(attempt: Attempt) -> ModelResponse:
        request = ModelRequest(
            messages=tuple(conversation.messages),
            tools=role.specs,
            output_schema=role.output.schema,
            max_output_tokens=role.max_output_tokens,
            temperature=role.temperature,
            turn=conversation.assistant_turns,
            attempt=attempt.number,
        )
        try:
            return await respond(role.model, request, lambda delta: ctx.delta(attempt.path, delta))
        except RetryLater as later:
            wait = max(0.0, later.at - ctx.clock.now())
            raise ModelFailed(str(later), kind=ErrorKind.RATE_LIMITED, detail={"retry_after": wait}) from later

    async def reserve(attempt: Attempt) -> Reservation:
        return Reservation(Usage(conversation.size // 3 + 1, role.max_output_tokens or _OUTPUT_TOKENS))

    effect = Effect(
        run,
        timeout=role.model_timeout,
        retry=_RETRY,
        retryable=_retryable,
        failure=_model_failure,
        reserve=reserve,
        usage=_usage,
        shape=_RESPONSE,
    )
    outcome: Outcome = await ctx.effect("model", conversation.digest, effect, full=True)
    response: ModelResponse = outcome.value
    conversation.add(response.message, b"model")
    conversation.assistant_turns += 1
    talk.meter.turns += 1
    talk.meter.usage += response.usage + outcome.lost
    _check_finish(response, outcome.path)
    return response


async def call_tools(ctx: Context, talk: Talk, calls: Sequence[ToolCall]) -> None:
    """Executes the calls and adds their results to the conversation, in order.

    Neighbouring reads run side by side; whatever changes something runs alone, in the model's order. A call
    that fails is told to the model as a result with its error kind.
    """
    results: list[ToolResult] = []
    group: list[ToolCall] = []
    for call in calls:
        if _reads(talk, call):
            group.append(call)
            continue
        results += await _side_by_side(ctx, talk, group)
        group = []
        results.append(await _call(ctx, talk, call))
    results += await _side_by_side(ctx, talk, group)
    talk.meter.tool_calls += len(calls)
    talk.conversation.add(Message(Role.TOOL, tuple(results)), b"tools")


async def _side_by_side(ctx: Context, talk: Talk, calls: Sequence[ToolCall]) -> list[ToolResult]:
    if len(calls) < 2:
        return [await _call(ctx, talk, call) for call in calls]
    return await ctx.gather(*[_call(ctx, talk, call) for call in calls])


async def _call(ctx: Context, talk: Talk, call: ToolCall) -> ToolResult:
    try:
        content = await _perform(ctx, talk, call)
    except ToolFailed as failure:
        return ToolResult(call.id, call.name, str(failure), str(failure.kind))
    return ToolResult(call.id, call.name, content)


async def _perform(ctx: Context, talk: Talk, call: ToolCall) -> Any:
    tool = talk.role.tools.get(call.name)
    if tool is None:
        return await ctx.effect(call.name or "tool", digest(call.arguments), refusal(_unknown(talk, call.name)))
    if call.raw is not None:
        failure = ToolFailed(
            f"the arguments of {call.name} are not a JSON object: {call.raw[:200]}",
            kind=ErrorKind.INVALID_ARGUMENTS,
            remedy="write them as one JSON object",
        )
        return await ctx.effect(call.name, digest(call.raw), refusal(failure))
    return await tool.perform(ctx, call.arguments)


def _unknown(talk: Talk, name: str) -> ToolFailed:
    try:
        talk.role.toolbox.get(name)
    except ToolFailed as failure:
        return failure
    raise AssertionError(f"{name} is known")


def _reads(talk: Talk, call: ToolCall) -> bool:
    tool: JournaledTool | None = talk.role.tools.get(call.name)
    return tool is None or tool.tool.effect is SideEffect.READ


def _check_finish(response: ModelResponse, path: str) -> None:
    """An answer that is no whole answer fails the turn; a requeue asks the model again."""
    match response.finish:
        case FinishReason.LENGTH:
            raise ModelFailed(
                "the model's answer was cut at its output limit",
                kind=ErrorKind.MALFORMED_OUTPUT,
                path=path,
                remedy="raise max_output_tokens, or ask for less",
            )
        case FinishReason.CONTENT_FILTER | FinishReason.REFUSAL:
            said = response.message.text[:200]
            raise ModelFailed(f"the model refused: {said or response.finish}", kind=ErrorKind.GUARDRAIL, path=path)
        case FinishReason.ERROR:
            raise ModelFailed("the model ended with an error", kind=ErrorKind.UPSTREAM_DOWN, path=path)
        case _:
            return


def _usage(result: Any) -> Usage:
    return msgspec.convert(result.get("usage", []), Usage)


def _retryable(failure: Failure) -> bool:
    return failure.kind in _RETRYABLE


def _model_failure(error: BaseException, path: str) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, TimeoutError):
        return ModelFailed("the model did not answer in time", kind=ErrorKind.TIMEOUT)
    if isinstance(error, OSError):
        return ModelFailed(f"the model cannot be reached: {error}", kind=ErrorKind.UPSTREAM_DOWN)
    return ModelFailed(f"{type(error).__name__}: {error}", kind=ErrorKind.BUG, detail={"type": type(error).__name__})
