"""A tool inside a run: each call is an effect, guarded as the tool's side-effect class asks."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from callboard.agents.calling import Calling
from callboard.agents.handling import ESCALATED, OnFailure, Policy, handled
from callboard.agents.surroundings import Surroundings
from callboard.domain.attempted import Failed, Ok
from callboard.domain.codec import digest
from callboard.domain.errors import Failure, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.partial import Partial, revived
from callboard.domain.words import words
from callboard.engine.context import Context
from callboard.engine.effect import Attempt, Effect, Finding, Guard
from callboard.engine.saga import Saga
from callboard.engine.shape import Shape, returned
from callboard.engine.undo import Done, Undoing
from callboard.resilience.verdict import made
from callboard.tools import Applied, NotApplied, SideEffect, Tool

_GUARDS = {SideEffect.READ: Guard.REPEAT, SideEffect.IDEMPOTENT: Guard.KEYED, SideEffect.ONCE: Guard.ONCE}

# A fallback stands in for a tool that did not work, never for an answer that somebody does not like.
_FALLS_BACK = frozenset(
    {
        ErrorKind.TIMEOUT,
        ErrorKind.UPSTREAM_DOWN,
        ErrorKind.RATE_LIMITED,
        ErrorKind.MALFORMED_RESULT,
        ErrorKind.INCOMPLETE,
        ErrorKind.BUG,
    }
)
# Of these a `once` call is known to have happened not at all, or to have happened.
_DEFINITE = frozenset(
    {
        ErrorKind.UPSTREAM_REJECTED,
        ErrorKind.INVALID_ARGUMENTS,
        ErrorKind.MALFORMED_RESULT,
        ErrorKind.INCOMPLETE,
    }
)


class JournaledTool:
    """What `@app.tool` makes of a function: call it in a flow, or give it to an agent."""

    def __init__(self, fn: Callable[..., Any], tool: Tool, on_failure: OnFailure | None = None) -> None:
        self.tool = tool
        self._fn = fn
        self._shape = returned(fn)
        self._policy = None if on_failure is None else Policy(on_failure)
        self.__doc__ = fn.__doc__

    @property
    def name(self) -> str:
        """What flows and models call it."""
        return self.tool.name

    @property
    def policy(self) -> Policy | None:
        """What is declared to be done when a call has failed, None if nothing is."""
        return self._policy

    def __repr__(self) -> str:
        return f"JournaledTool({self.tool.name}, {self.tool.effect})"

    async def call(self, ctx: Context, /, **arguments: Any) -> Any:
        """Calls the tool as an effect of the run, with its time limit, retries and fallback.

        Returns the result as the type that the function declares. Raises ToolFailed, whose `kind` says how;
        UnknownOutcome when a person gave up a `once` call of which nobody knows whether it happened.
        """
        return await self.perform(ctx, arguments, asked=arguments, shape=self._shape)

    async def attempt(self, ctx: Context, /, **arguments: Any) -> Ok[Any] | Failed:
        """Calls the tool; its failure is a value instead of an exception."""
        return await ctx.attempt(self.call(ctx, **arguments))

    def handled(self, on_failure: OnFailure) -> "JournaledTool":
        """The same tool with another declaration of what is done when a call fails, for one place where it is called.

        Raises InputInvalid as `app.tool(on_failure=...)` does.
        """
        return JournaledTool(self._fn, self.tool, on_failure)

    async def perform(
        self, ctx: Context, arguments: Mapping[str, Any], *, asked: Any = None, shape: Shape | None = None
    ) -> Any:
        """Calls the tool with arguments that a model wrote; `asked` is journaled with reads, which have no intent."""
        policy = self._policy
        if policy is None and Surroundings.of(ctx).upstreams.gate(self.tool.upstream).upstream.otherwise == "escalate":
            policy = ESCALATED
        if policy is None:
            return await self._perform(ctx, arguments, asked, shape)
        return await handled(ctx, _Again(self, ctx, arguments, asked, shape), policy)

    async def _perform(
        self, ctx: Context, arguments: Mapping[str, Any], asked: Any, shape: Shape | None, key: str | None = None
    ) -> Any:
        tool = self.tool
        asked_digest = digest(arguments)
        try:
            values = tool.validate(arguments)
        except ToolFailed as failure:
            return await ctx.effect(tool.name, asked_digest, refusal(failure))
        guard = _GUARDS[tool.effect]
        calling = Calling(ctx, tool, lambda tool, attempt: tool.invoke(values, attempt.key, attempt.heartbeat))
        effect = Effect(
            calling.run,
            guard=guard,
            heartbeat=tool.heartbeat,
            failure=_failure,
            tool=tool.name,
            sort="tool",
            bound=tool.timeout,
            again=calling.again,
            doubtful=_doubtful,
            asked=dict(arguments) if guard is not Guard.REPEAT else asked,
            reconcile=self._reconcile if tool.reconcile is not None else None,
            shape=shape,
            key=key,
        )
        try:
            return await self._undoable(ctx, values, arguments, ctx.effect(tool.name, asked_digest, effect), shape, key)
        except ToolFailed as failure:
            if tool.fallback is None or failure.kind not in _FALLS_BACK:
                raise
        stand_in = Effect(lambda attempt: tool.invoke_fallback(values, attempt.key), sort="tool", shape=shape)
        return await ctx.effect(f"{tool.name}.fallback", asked_digest, stand_in)

    async def _undoable(
        self,
        ctx: Context,
        values: Mapping[str, Any],
        arguments: Mapping[str, Any],
        work: Awaitable[Any],
        loaded: Shape | None,
        key: str | None,
    ) -> Any:
        """Registers how to undo the call with the innermost saga, before it is made."""
        saga: Saga | None = ctx.open_saga
        tool, shape = self.tool, self._shape
        if saga is None or tool.compensate is None:
            return await work

        async def undo(done: Done, attempt: Attempt) -> None:
            told = {"result": done.result, "key": done.key, "original_key": done.original_key}
            if loaded is None and shape is not None and not isinstance(done.result, Partial | None):
                told["result"] = shape.load(done.result, trusted=True)  # an agent made the call, and had it as JSON
            await Calling(ctx, tool, lambda tool, attempt: tool.undo(values, **told)).run(attempt)

        return await saga.watch(Undoing(tool.name, undo, dict(arguments), None), work, key)

    async def _reconcile(self, key: str) -> Finding:
        match await self.tool.ask_reconcile(key):
            case Applied(result):
                return Finding(True, result)
            case NotApplied():
                return Finding(False)
            case _:
                return Finding(None)


class _Again:
    """A call that a policy may make again: the same call, with the key that it had the first time."""

    __slots__ = ("_asked", "_ctx", "_key", "_shape", "_tool", "arguments", "name", "once")

    def __init__(
        self, tool: JournaledTool, ctx: Context, arguments: Mapping[str, Any], asked: Any, shape: Shape | None
    ) -> None:
        self.name = tool.name
        self.arguments = arguments
        self.once = tool.tool.effect is SideEffect.ONCE
        self._tool = tool
        self._ctx = ctx
        self._asked = asked
        self._shape = shape
        self._key = ctx.next_key

    async def make(self) -> Any:
        """Makes the call."""
        return await self._tool._perform(self._ctx, self.arguments, self._asked, self._shape, self._key)

    async def use(self, fallback: Any) -> Any:
        """Calls another tool with the same arguments."""
        return await fallback.perform(self._ctx, self.arguments, asked=self._asked, shape=self._shape)

    def load(self, value: Any) -> Any:
        """A value that a person gave or a function returned, as the tool's result."""
        tool = self._tool.tool
        stored = revived(tool.result_type.storable(tool.name, value, tool.max_result))
        return stored if self._shape is None or isinstance(stored, Partial) else self._shape.load(stored, trusted=True)


def refusal(failure: Failure) -> Effect:
    """An effect that fails without having done anything, so that the journal shows the refused call."""

    async def refuse(attempt: Attempt) -> Any:
        raise failure

    return Effect(refuse, sort="tool")


def _failure(error: BaseException, path: str) -> Failure:
    """A tool sorts its exceptions itself; what is no failure yet is the silence of a call that stopped beating or whose
    process died, or a fault of ours."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, TimeoutError):
        return ToolFailed(str(error), kind=ErrorKind.TIMEOUT, path=path)
    name = type(error).__name__
    return ToolFailed(f"{name}: {words(error)}", kind=ErrorKind.BUG, path=path, detail={"type": name})


def _doubtful(failure: Failure) -> bool:
    # An exception that says malformed comes from within the function: nobody knows how far the call had come.
    return made(failure) and (failure.kind not in _DEFINITE or "type" in failure.detail)
