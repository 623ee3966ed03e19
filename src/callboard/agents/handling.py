"""What is done about a call that has failed, as declared for a tool or for one place where it is called.

A policy is one handling, or one for each kind of failure (`"*"` for all others). It is asked after the tool's own
retries and fallback. Each decision is an effect of the run, named after the tool and the handling.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from callboard.domain.codec import digest
from callboard.domain.errors import Failure, FlowMisuse, InputInvalid, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.retry import NEVER, Retry
from callboard.engine.context import Context
from callboard.engine.effect import Attempt, Effect
from callboard.engine.steps import called
from callboard.store.approvals import ApprovalStatus

COMPENSATE = "compensate"


@dataclass(frozen=True, slots=True)
class Handling:
    """One thing to do about a failure; made by `retry`, `use`, `escalate`, `compensate` and `fail`.

    Attributes:
        name: retry, use, escalate, compensate or fail.
        retry: for retry: how often, and how long to wait before each.
        fallback: for use: another tool, or a function of the same arguments.
        timeout: for escalate: seconds after which nobody can decide any more.
        then: what is done when this did not help.
    """

    name: Literal["retry", "use", "escalate", "compensate", "fail"]
    retry: Retry = NEVER
    fallback: Any = None
    timeout: float | None = None
    then: "Handling | None" = None


OnFailure = Handling | Mapping[str, Handling]


def retry(
    times: int = 3, *, first: float = 1.0, factor: float = 2.0, longest: float = 60.0, then: Handling | None = None
) -> Handling:
    """Make the whole call again, with the same idempotency key, `times` times at most.

    A `once` call is made again only if it was surely not applied.

    Args:
        times: calls beside the first.
        first: seconds before the next call; each further wait is `factor` as long, at most `longest`.
        then: what to do when the last of them failed; by default it fails.
    """
    if times < 1:
        raise InputInvalid(f"times={times!r} is not a number of calls from 1 on", remedy="use callboard.fail()")
    return Handling("retry", Retry(times + 1, first, factor, longest), then=then)


def use(fallback: Any, *, then: Handling | None = None) -> Handling:
    """Take what another tool, or a function of the same arguments, returns.

    A plain value cannot be used: nothing stands in for a failed call by itself.
    """
    if not callable(fallback) and not hasattr(fallback, "perform"):
        raise InputInvalid(
            f"use({fallback!r}) has nothing to call",
            why="a default value would be taken for a result",
            remedy="give it another tool, or a function that says where its value comes from",
        )
    return Handling("use", fallback=fallback, then=then)


def escalate(*, timeout: float | None = None) -> Handling:
    """Ask a person: approve to try again, edit to give the value, reject to let it fail.

    After `timeout` seconds without a decision it fails.
    """
    return Handling("escalate", timeout=timeout)


def compensate() -> Handling:
    """Let it fail so that the saga around it undoes what was done; an agent that made the call ends with it."""
    return Handling("compensate")


def fail() -> Handling:
    """Let it fail: the flow gets the exception, an agent is told."""
    return Handling("fail")


_FAIL = Handling("fail")


class Policy:
    """Which handling a failure gets."""

    __slots__ = ("_by_kind",)

    def __init__(self, declared: OnFailure) -> None:
        """Raises InputInvalid for what is no handling, or a kind that does not exist."""
        if isinstance(declared, Handling):
            declared = {"*": declared}
        if not isinstance(declared, Mapping):
            raise InputInvalid(f"on_failure={declared!r} is no handling", remedy=_REMEDY)
        for kind, handling in declared.items():
            if kind != "*" and kind not in tuple(ErrorKind):
                raise InputInvalid(
                    f"on_failure: {kind!r} is no kind of failure", remedy=f'use "*" or {", ".join(ErrorKind)}'
                )
            if not isinstance(handling, Handling):
                raise InputInvalid(f"on_failure[{kind!r}]={handling!r} is no handling", remedy=_REMEDY)
        self._by_kind = {str(kind): handling for kind, handling in declared.items()}

    @property
    def by_kind(self) -> Mapping[str, Handling]:
        """The handlings by kind of failure, `"*"` for all others."""
        return self._by_kind

    def of(self, failure: Failure) -> Handling:
        """The handling of a failure. Arguments that do not fit are nobody's trouble but the caller's: `"*"` leaves
        them out."""
        others = _FAIL if failure.kind is ErrorKind.INVALID_ARGUMENTS else self._by_kind.get("*", _FAIL)
        return self._by_kind.get(str(failure.kind), others)


ESCALATED = Policy(
    {
        kind: escalate()
        for kind in (
            ErrorKind.TIMEOUT,
            ErrorKind.UPSTREAM_DOWN,
            ErrorKind.RATE_LIMITED,
            ErrorKind.OVERLOADED,
            ErrorKind.QUOTA,
            ErrorKind.AUTHENTICATION,
            ErrorKind.MALFORMED_RESULT,
            ErrorKind.INCOMPLETE,
        )
    }
)
"""Of a tool that declares nothing, where its upstream says `otherwise = "escalate"`."""


class Called(Protocol):
    """A tool call that can be made again. `name` is the tool's, `arguments` are JSON-like, `once` calls are repeated
    only when they were not applied; `load` makes a result of a person's JSON value, raising ToolFailed."""

    name: str
    arguments: Mapping[str, Any]
    once: bool

    def make(self) -> Awaitable[Any]:
        """Makes the call, each time with the same key."""
        ...

    def use(self, fallback: Any) -> Awaitable[Any]:
        """Calls another tool in its place."""
        ...

    def load(self, value: Any) -> Any:
        """A value that a person gave, as the tool's result."""
        ...


async def handled(ctx: Context, call: Called, policy: Policy) -> Any:
    """Makes a call and does what the policy says as long as it fails. Raises the failure that is left."""
    retries: dict[int, int] = {}
    spent: set[int] = set()
    try:
        return await call.make()
    except Failure as error:
        failure = error
    while True:
        handling = _next(call, policy.of(failure), failure, retries, spent)
        await _decide(ctx, call, handling, failure)
        try:
            match handling.name:
                case "retry":
                    retries[id(handling)] = count = retries.get(id(handling), 0) + 1
                    await ctx.sleep(max(handling.retry.wait(count, 0.5), failure.detail.get("retry_after") or 0.0))
                    return await call.make()
                case "use":
                    spent.add(id(handling))
                    return await _use(ctx, call, handling.fallback)
                case "escalate":
                    return await _escalate(ctx, call, handling, failure)
                case "compensate":
                    failure.detail["handling"] = COMPENSATE
                    if ctx.open_saga is None:
                        raise FlowMisuse(
                            f"{call.name} failed and is to be compensated, but there is no saga around it",
                            why=str(failure),
                            remedy="call it inside of `async with ctx.saga():`, or declare another on_failure",
                        ) from failure
                    raise failure
                case _:
                    raise failure
        except Failure as error:
            if error is failure:
                raise
            failure = error


def ends_turn(failure: Failure) -> bool:
    """True when a failed call must not be told to the agent that made it."""
    return failure.detail.get("handling") == COMPENSATE


_REMEDY = "use callboard.retry(), use(...), escalate(), compensate(), fail(), or a dict of these by kind"


def _next(call: Called, handling: Handling, failure: Failure, retries: dict[int, int], spent: set[int]) -> Handling:
    """The handling that is not used up yet."""
    while True:
        match handling.name:
            case "retry":
                left = retries.get(id(handling), 0) < handling.retry.attempts - 1
                if left and (not call.once or failure.unmade):
                    return handling
            case "use" if id(handling) not in spent:
                return handling
            case "use":
                pass
            case _:
                return handling
        handling = handling.then or _FAIL


async def _decide(ctx: Context, call: Called, handling: Handling, failure: Failure) -> None:
    """Journals what is done about the failure."""
    note = {"kind": str(failure.kind), "path": failure.path, "handling": handling.name}

    async def decided(attempt: Attempt) -> Any:
        return note

    await ctx.effect(f"{call.name}.{handling.name}", digest(note), Effect(decided))


async def _use(ctx: Context, call: Called, fallback: Any) -> Any:
    if hasattr(fallback, "perform"):
        return await call.use(fallback)
    name = getattr(fallback, "__name__", "fallback")

    async def run(attempt: Attempt) -> Any:
        return await called(fallback, **call.arguments)

    return call.load(await ctx.effect(f"{call.name}.{name}", digest(call.arguments), Effect(run)))


async def _escalate(ctx: Context, call: Called, handling: Handling, failure: Failure) -> Any:
    complaint = ""
    while True:
        proposal = {
            "question": f"{call.name} failed: {failure}. What is to be done?",
            "approve": "try it again",
            "edit": "the value is its result",
            "reject": "let it fail",
            "call": call.name,
            "arguments": dict(call.arguments),
            "kind": str(failure.kind),
        }
        if complaint:
            proposal["complaint"] = complaint
        decision = await ctx.ask(proposal, timeout=handling.timeout)
        if decision.status == ApprovalStatus.APPROVED:
            return await call.make()
        if decision.status != ApprovalStatus.EDITED:
            raise failure
        try:
            return call.load(decision.value)
        except (ToolFailed, InputInvalid) as unfit:
            complaint = str(unfit)
