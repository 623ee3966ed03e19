"""An agent: a role with a model, a prompt, tools, an output type and limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from callboard.agents.role import Role
from callboard.agents.talk import Talk
from callboard.agents.turn import ask_model, call_tools
from callboard.domain.errors import InputInvalid, OutputInvalid, TimedOut
from callboard.domain.message import Message, ToolResult, user
from callboard.domain.usage import Usage
from callboard.engine.context import Context
from callboard.engine.flow import Flow


@dataclass(frozen=True, slots=True)
class Transcript:
    """What came of an agent run.

    Attributes:
        output: its answer, as the declared output type.
        messages: the whole conversation, the prompt first.
        usage: tokens and money of all model calls.
    """

    output: Any
    messages: tuple[Message, ...]
    usage: Usage

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        """What the tools answered, in order."""
        return tuple(p for m in self.messages for p in m.parts if isinstance(p, ToolResult))


class Agent:
    """Declared with `app.agent`. Run it in a flow with `await agent.run(ctx, input)`, or as a run of its own."""

    def __init__(self, name: str, *, version: str = "1", **parts: Any) -> None:
        self.role = Role.of(name, **parts)
        self.flow = Flow(_as_flow(self), name=name, version=version)

    @property
    def name(self) -> str:
        """How runs and journals name it."""
        return self.role.name

    def __repr__(self) -> str:
        return f"Agent({self.name})"

    async def run(self, ctx: Context, input: Any, *, context: Sequence[Any] = ()) -> Any:
        """Runs the agent as a part of the calling run and returns its answer as the declared output type.

        Takes and raises what `converse` does.
        """
        return (await self.converse(ctx, input, context=context)).output

    async def converse(self, ctx: Context, input: Any, *, context: Sequence[Any] = ()) -> Transcript:
        """Runs the agent as a part of the calling run and returns its answer with the conversation behind it.

        Args:
            ctx: the run.
            input: text, or JSON-like data that the model gets as JSON.
            context: further JSON-like values that the model gets before the input.

        Raises:
            LimitReached: a limit was reached; `reason` names it, `partial` has what there was.
            OutputInvalid: the answer did not fit the output type, also after repairs.
            ModelFailed: the model failed for good.
            UnknownOutcome: a `once` tool call was given up.
        """
        role = self.role
        with ctx.scope(role.name):
            talk = Talk(role, input, context)
            if ctx.nesting > role.limits.depth:
                raise await talk.limit(ctx, "depth")
            limited = ctx.timeout(role.limits.seconds, _hold(ctx, talk))
            try:
                output = await limited
            except TimedOut as late:
                if late.path is None or not late.path.endswith(":timeout"):
                    raise
                raise await talk.limit(ctx, "seconds") from None
            return Transcript(output, tuple(talk.conversation.messages), talk.meter.usage)


async def _hold(ctx: Context, talk: Talk) -> Any:
    """Turn after turn, until there is an answer or a limit is reached."""
    role, meter = talk.role, talk.meter
    repairs = role.repairs
    while True:
        if reason := meter.before_model():
            raise await talk.limit(ctx, reason)
        response = await ask_model(ctx, talk)
        calls = response.message.tool_calls
        if calls:
            if reason := meter.before_tools(len(calls)):
                raise await talk.limit(ctx, reason)
            await call_tools(ctx, talk, calls)
            continue
        try:
            return role.output.read(response.message.text)
        except InputInvalid as wrong:
            if repairs == 0:
                said = response.message.text[:2_000]
                raise OutputInvalid(f"agent {role.name}: {wrong.what}", detail={"text": said}) from wrong
            repairs -= 1
            talk.conversation.add(user(f"{wrong.what}. Answer again, as JSON that fits the schema."))


def _as_flow(agent: Agent) -> Any:
    async def run(ctx: Context, input: Any) -> Any:
        return await agent.run(ctx, input)

    run.__name__ = agent.name
    run.__doc__ = f"The agent {agent.name} as a run of its own."
    return run
