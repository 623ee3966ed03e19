"""A tool inside a run: each call is an effect, guarded as the tool's side-effect class asks."""

from collections.abc import Callable, Mapping
from typing import Any

from callboard.domain.codec import digest
from callboard.domain.errors import Failure, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.engine.context import Context
from callboard.engine.effect import Attempt, Effect, Finding, Guard
from callboard.engine.shape import Shape, returned
from callboard.tools import Applied, NotApplied, SideEffect, Tool, retryable

_GUARDS = {SideEffect.READ: Guard.REPEAT, SideEffect.IDEMPOTENT: Guard.KEYED, SideEffect.ONCE: Guard.ONCE}

# A fallback stands in for a tool that did not work, never for an answer that somebody does not like.
_FALLS_BACK = frozenset(
    {ErrorKind.TIMEOUT, ErrorKind.UPSTREAM_DOWN, ErrorKind.RATE_LIMITED, ErrorKind.MALFORMED_RESULT, ErrorKind.BUG}
)
# Of these a `once` call is known to have happened not at all, or to have happened.
_DEFINITE = frozenset({ErrorKind.UPSTREAM_REJECTED, ErrorKind.INVALID_ARGUMENTS, ErrorKind.MALFORMED_RESULT})


class JournaledTool:
    """What `@app.tool` makes of a function: call it in a flow, or give it to an agent."""

    def __init__(self, fn: Callable[..., Any], tool: Tool) -> None:
        self.tool = tool
        self._shape = returned(fn)
        self.__doc__ = fn.__doc__

    @property
    def name(self) -> str:
        """What flows and models call it."""
        return self.tool.name

    def __repr__(self) -> str:
        return f"JournaledTool({self.tool.name}, {self.tool.effect})"

    async def call(self, ctx: Context, /, **arguments: Any) -> Any:
        """Calls the tool as an effect of the run, with its time limit, retries and fallback.

        Returns the result as the type that the function declares. Raises ToolFailed, whose `kind` says how;
        UnknownOutcome when a person gave up a `once` call of which nobody knows whether it happened.
        """
        return await self.perform(ctx, arguments, asked=arguments, shape=self._shape)

    async def perform(
        self, ctx: Context, arguments: Mapping[str, Any], *, asked: Any = None, shape: Shape | None = None
    ) -> Any:
        """Calls the tool with arguments that a model wrote; `asked` is journaled with reads, which have no intent."""
        tool = self.tool
        asked_digest = digest(arguments)
        try:
            values = tool.validate(arguments)
        except ToolFailed as failure:
            return await ctx.effect(tool.name, asked_digest, refusal(failure))
        guard = _GUARDS[tool.effect]
        effect = Effect(
            lambda attempt: tool.invoke(values, attempt.key, attempt.heartbeat),
            guard=guard,
            heartbeat=tool.heartbeat,
            failure=_failure if tool.heartbeat is not None else None,
            tool=tool.name,
            bound=tool.timeout,
            retry=tool.retry,
            retryable=_retryable,
            doubtful=_doubtful,
            asked=dict(arguments) if guard is not Guard.REPEAT else asked,
            reconcile=self._reconcile if tool.reconcile is not None else None,
            shape=shape,
        )
        try:
            return await ctx.effect(tool.name, asked_digest, effect)
        except ToolFailed as failure:
            if tool.fallback is None or failure.kind not in _FALLS_BACK:
                raise
        stand_in = Effect(lambda attempt: tool.invoke_fallback(values, attempt.key), shape=shape)
        return await ctx.effect(f"{tool.name}.fallback", asked_digest, stand_in)

    async def _reconcile(self, key: str) -> Finding:
        match await self.tool.ask_reconcile(key):
            case Applied(result):
                return Finding(True, result)
            case NotApplied():
                return Finding(False)
            case _:
                return Finding(None)


def refusal(failure: Failure) -> Effect:
    """An effect that fails without having done anything, so that the journal shows the refused call."""

    async def refuse(attempt: Attempt) -> Any:
        raise failure

    return Effect(refuse)


def _failure(error: BaseException, path: str) -> Failure:
    """Whatever is no failure yet is the silence of a call that stopped beating."""
    return error if isinstance(error, Failure) else ToolFailed(str(error), kind=ErrorKind.TIMEOUT, path=path)


def _retryable(failure: Failure) -> bool:
    return isinstance(failure, ToolFailed) and retryable(failure)


def _doubtful(failure: Failure) -> bool:
    return failure.kind not in _DEFINITE
