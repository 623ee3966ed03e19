"""An agent: a role with a model, a prompt, tools, an output type and limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from callboard.agents.asking import ask_model
from callboard.agents.boundary import whole
from callboard.agents.compacting import compact
from callboard.agents.progress import Handoffs, Stall
from callboard.agents.role import Role
from callboard.agents.stops import stopped
from callboard.agents.talk import Talk
from callboard.agents.turn import call_tools
from callboard.domain.errors import Incomplete, InputInvalid, LimitReached, ModelFailed, OutputInvalid, TimedOut
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, ToolResult, user
from callboard.domain.usage import Usage
from callboard.engine.context import Context
from callboard.engine.flow import Flow
from callboard.models import ModelResponse

# Runs of before go on as they began: with what is not whole, and in circles.
_BOUNDARY, _WATCHED = "boundary", "progress"


@dataclass(frozen=True, slots=True)
class Transcript:
    """What came of an agent run.

    Attributes:
        output: its answer, as the declared output type.
        messages: the whole conversation, the prompt first; a summary stands behind what it is of.
        usage: tokens and money of all model calls.
        stopped: `done`, or the name of the stop condition that ended it.
    """

    output: Any
    messages: tuple[Message, ...]
    usage: Usage
    stopped: str = "done"

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        """What the tools answered, in order."""
        return tuple(p for m in self.messages for p in m.parts if isinstance(p, ToolResult))


class Agent:
    """Declared with `app.agent`. Run it in a flow with `await agent.run(ctx, input)`, or as a run of its own."""

    def __init__(self, name: str, *, version: str = "1", **parts: Any) -> None:
        self.role = Role.of(name, **parts)
        speaks = not self.role.tools and self.role.output.schema is None
        self.flow = Flow(_as_flow(self), name=name, version=version, chats=True, speaks=speaks)

    @property
    def name(self) -> str:
        """How runs and journals name it."""
        return self.role.name

    def __repr__(self) -> str:
        return f"Agent({self.name})"

    async def run(self, ctx: Context, input: Any, *, context: Sequence[Any] = (), partial_ok: bool = False) -> Any:
        """Runs the agent as a part of the calling run and returns its answer as the declared output type.

        Takes and raises what `converse` does.
        """
        return (await self.converse(ctx, input, context=context, partial_ok=partial_ok)).output

    async def converse(
        self, ctx: Context, input: Any, *, context: Sequence[Any] = (), partial_ok: bool = False
    ) -> Transcript:
        """Runs the agent as a part of the calling run and returns its answer with the conversation behind it.

        Args:
            ctx: the run.
            input: text, or JSON-like data that the model gets as JSON; `Media` as what it is; a `Chat`, to go on with.
            context: further JSON-like values that the model gets before the input.
            partial_ok: take a Partial; the model is told what is missing.

        Raises:
            Incomplete: the input or a value of the context is none, a failure or only a part; or one is empty.
            LimitReached: a limit was reached; `reason` names it, `partial` has what there was.
            OutputInvalid: the answer did not fit the output type, also after repairs.
            ModelFailed: the model failed for good, and so did all that stand behind it.
            UnknownOutcome: a `once` tool call was given up.
        """
        role = self.role
        try:
            whole_input = whole(input, f"the input of {role.name}", partial_ok=partial_ok, empty_ok=True)
            places = [f"context[{i}] of {role.name}" for i in range(len(context))]
            context = [whole(*each, partial_ok=partial_ok) for each in zip(context, places, strict=True)]
            input = whole_input
        except Incomplete:
            if await ctx.patched(_BOUNDARY):
                raise
        handoffs = ctx.memo("handoffs", Handoffs)
        with ctx.scope(role.name):
            talk = Talk(role, input, context)
            if ctx.nesting > role.limits.depth:
                raise await talk.limit(ctx, "depth")
            limited = ctx.timeout(role.limits.seconds, _hold(ctx, talk))
            try:
                output, ended = await limited
            except TimedOut as late:
                if late.path is None or not late.path.endswith(":timeout"):
                    raise
                raise await talk.limit(ctx, "seconds") from None
            stall = handoffs.add(role.name, input, talk.partial()["text"], role.progress)
            if stall and await ctx.patched(_WATCHED):
                raise await _stuck(ctx, talk, stall)
            return Transcript(output, talk.conversation.whole, talk.meter.usage, ended)


async def _hold(ctx: Context, talk: Talk) -> tuple[Any, str]:
    """Turn after turn, until there is an answer or a limit is reached; the answer, and what ended it."""
    role, meter = talk.role, talk.meter
    repairs = role.repairs
    while True:
        if reason := meter.before_model():
            raise await talk.limit(ctx, reason)
        response = await _ask(ctx, talk)
        said, calls = response.message.text, response.message.tool_calls
        results: list[ToolResult] = []
        if calls:
            if reason := meter.before_tools(len(calls)):
                raise await talk.limit(ctx, reason)
            results = await call_tools(ctx, talk, calls)
        stop = stopped(role.stop, talk.turn(response, results)) if role.stop else None
        if calls and stop is None:
            if (stall := talk.watch.turn(calls, results)) and await ctx.patched(_WATCHED):
                raise await _stuck(ctx, talk, stall)
            continue
        if stop is not None and (stop.fails or not said):
            raise await talk.limit(ctx, stop.name, f"was stopped: {stop.name}")
        try:
            return role.output.read(said), "done" if stop is None else stop.name
        except InputInvalid as wrong:
            if stop is not None:
                raise await talk.limit(ctx, stop.name, f"was stopped: {stop.name}") from wrong
            if repairs == 0:
                raise OutputInvalid(f"agent {role.name}: {wrong.what}", detail={"text": said[:2_000]}) from wrong
            repairs -= 1
            again = user(f"{wrong.what}. Answer again, as JSON that fits the schema.")
            talk.conversation.add(again, why="the answer before did not fit the output's schema")


async def _stuck(ctx: Context, talk: Talk, stall: Stall) -> LimitReached:
    what = f"gets nowhere: {stall.pattern.replace('_', ' ')}, {stall.what}"
    return await talk.limit(ctx, "no_progress", what, pattern=str(stall.pattern), what_repeats=stall.what)


async def _ask(ctx: Context, talk: Talk) -> ModelResponse:
    """The model's answer. A conversation that is too long for every model is compacted, where the agent says so."""
    while True:
        try:
            response = await ask_model(ctx, talk)
        except LimitReached as limit:
            raise talk.stopped(limit) from None
        except ModelFailed as failure:
            if failure.kind is not ErrorKind.CONTEXT_TOO_LONG or not await compact(ctx, talk):
                raise
            continue
        talk.squeezed = 0
        return response


def _as_flow(agent: Agent) -> Any:
    async def run(ctx: Context, input: Any) -> Any:
        return await agent.run(ctx, input)

    run.__name__ = agent.name
    run.__doc__ = f"The agent {agent.name} as a run of its own."
    return run
