"""The tool calls that a model asks for. Each is an effect of its own, so that a crash between two repeats neither."""

from collections.abc import Sequence
from typing import Any

from callboard.agents.handling import ends_turn
from callboard.agents.talk import Talk
from callboard.agents.tool import JournaledTool, refusal
from callboard.domain.codec import digest
from callboard.domain.errors import ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Role, ToolCall, ToolResult
from callboard.domain.partial import Partial
from callboard.engine.context import Context
from callboard.tools import SideEffect


async def call_tools(ctx: Context, talk: Talk, calls: Sequence[ToolCall]) -> list[ToolResult]:
    """Executes the calls and adds their results to the conversation, in order; returns them.

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
    talk.conversation.add(Message(Role.TOOL, tuple(results)), b"tools", why="what the tools answered")
    return results


async def _side_by_side(ctx: Context, talk: Talk, calls: Sequence[ToolCall]) -> list[ToolResult]:
    if len(calls) < 2:
        return [await _call(ctx, talk, call) for call in calls]
    return await ctx.gather(*[_call(ctx, talk, call) for call in calls])


async def _call(ctx: Context, talk: Talk, call: ToolCall) -> ToolResult:
    try:
        content = await _perform(ctx, talk, call)
    except ToolFailed as failure:
        if ends_turn(failure):
            raise
        return ToolResult(call.id, call.name, str(failure), str(failure.kind))
    return ToolResult(call.id, call.name, content.told() if isinstance(content, Partial) else content)


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
