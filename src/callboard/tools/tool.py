"""A tool: an author's function with a contract."""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callboard.domain.errors import InputInvalid, ToolFailed
from callboard.domain.heartbeat import Heartbeat
from callboard.domain.kinds import ErrorKind
from callboard.domain.retry import NEVER, Retry
from callboard.domain.toolspec import ToolSpec
from callboard.tools.compensation import Compensation
from callboard.tools.contract import Applied, Empty, NotApplied, Reconciled, SideEffect, Unknown
from callboard.tools.docstring import Docstring
from callboard.tools.outcome import ResultType
from callboard.tools.routine import Routine
from callboard.tools.schema import Arguments
from callboard.tools.signature import Signature

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what every provider takes
_NOTHINGS: tuple[Any, ...] = (None, "", [], {})
_CHOICES = frozenset({"auto", "none", "required"})  # words of a request's `tool_choice`


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What an agent may call. `Tool.of` makes one from a function.

    Attributes:
        name: at most 64 letters, digits, `_` and `-`.
        description: what the model is told.
        effect: what a call does to the world.
        arguments: JSON schema and validator of the arguments.
        routine: the function itself.
        result_type: checks what the function returns.
        timeout: seconds for one call.
        retry: how often a failed call is tried again; `once` allows one attempt only.
        fallback: a function with the same arguments, for when the tool has failed for good.
        reconcile: a function of the key which tells whether a `once` call happened.
        max_result: most bytes of a result's JSON.
        heartbeat: seconds between two signs of life of a long call at most; None for no such limit.
        upstream: what it calls, by the name under which limits and breakers are declared.
        own_retry: whether `retry` is the tool's own word, which counts before its upstream's.
        compensate: undoes a call when the saga around it fails.
        empty: what a result of None, "", [] or {} is: `keep` it, or `refuse` it as incomplete.
    """

    name: str
    description: str
    effect: SideEffect
    arguments: Arguments
    routine: Routine
    result_type: ResultType
    timeout: float
    retry: Retry
    fallback: Routine | None
    reconcile: Routine | None
    max_result: int
    heartbeat: float | None = None
    upstream: str = ""
    own_retry: bool = True
    compensate: Compensation | None = None
    empty: Empty = Empty.KEEP

    @classmethod
    def of(
        cls,
        fn: Callable[..., Any],
        effect: SideEffect | str,
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float = 30.0,
        retry: Retry | None = None,
        fallback: Callable[..., Any] | None = None,
        reconcile: Callable[..., Any] | None = None,
        max_result: int = 262_144,
        heartbeat: float | None = None,
        upstream: str = "",
        compensate: Callable[..., Any] | None = None,
        empty: Empty | str = Empty.KEEP,
    ) -> "Tool":
        """Declare a function, async or not, as a tool.

        Name and description are those of the function unless given; parameters are described by the
        docstring's `Args:`. `retry` is three attempts, for a `once` tool one. A parameter annotated
        `IdempotencyKey` receives the key; one annotated `Heartbeat`, with `heartbeat` seconds as its limit, what
        a long call shows life with. `reconcile` takes a key and answers NotApplied, Applied or Unknown. Tools that
        name the same `upstream` share its limits and its breaker; by default each has its own, `tool:NAME`.
        `compensate` takes what `Compensation.of` says. `empty="refuse"` makes an empty result a failure.

        Raises InputInvalid for a function or a contract that cannot work.
        """
        signature = Signature.of(fn)
        docstring = Docstring.of(fn)
        side_effect = _side_effect(effect)
        title = signature.function if name is None else name
        return cls(
            name=title,
            description=docstring.description if description is None else description,
            effect=side_effect,
            arguments=Arguments.of(signature, docstring.parameters),
            routine=Routine.of(fn, signature.key, signature.heartbeat),
            result_type=ResultType.of(signature.returns),
            timeout=timeout,
            retry=_usual_retry(side_effect) if retry is None else retry,
            fallback=_fallback(fallback, signature) if fallback else None,
            reconcile=_reconcile(reconcile) if reconcile else None,
            max_result=max_result,
            heartbeat=heartbeat,
            upstream=upstream or f"tool:{title}",
            own_retry=retry is not None,
            compensate=Compensation.of(compensate, signature) if compensate else None,
            empty=_empty(empty),
        )

    def __post_init__(self) -> None:
        for broken, why in (
            (not _NAME.fullmatch(self.name), "a name has 1 to 64 letters, digits, _ and -"),
            (self.name in _CHOICES, "auto, none and required have a meaning of their own for models"),
            (not 0 < self.timeout < math.inf, "its timeout must be a number of seconds above zero"),
            (self.retry.attempts < 1, "its retry must allow at least one attempt"),
            (
                self.heartbeat is not None and not 0 < self.heartbeat < math.inf,
                "its heartbeat must be a number of seconds above zero",
            ),
            (
                (self.heartbeat is None) != (self.routine.heartbeat is None),
                "a heartbeat limit and a parameter annotated Heartbeat belong together",
            ),
            (self.max_result < 1, "its max_result must be a number of bytes above zero"),
            (
                self.effect is SideEffect.ONCE and self.retry.attempts > 1,
                "its effect is once, so that it is never called again on suspicion",
            ),
            (
                self.effect is not SideEffect.ONCE and self.reconcile is not None,
                f"its effect is {self.effect}: it is simply called again, and only once needs a reconcile",
            ),
            (
                self.effect is SideEffect.READ and self.compensate is not None,
                "its effect is read: there is nothing to undo",
            ),
            (
                self.fallback is not None and self.compensate is not None,
                "nobody could undo what its fallback did; use on_failure=callboard.use(another tool) in its place",
            ),
        ):
            if broken:
                raise InputInvalid(f"tool {self.name!r} cannot be declared so", why=why)

    @property
    def takes_key(self) -> bool:
        """True when the function has a parameter for the idempotency key."""
        return self.routine.key is not None

    def spec(self) -> ToolSpec:
        """What a model is told about the tool."""
        return ToolSpec(self.name, self.description, self.arguments.schema)

    def validate(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that a model wrote, as values for `invoke`; defaults are filled in.

        Nothing is coerced: "5" is no integer. Raises ToolFailed(INVALID_ARGUMENTS) with a text that an agent
        can act on, and `detail["fields"]` as a list of `{"field", "problem", "got"}`.
        """
        return self.arguments.validate(self.name, arguments)

    async def invoke(
        self, values: Mapping[str, Any], key: str | None = None, heartbeat: Heartbeat | None = None
    ) -> Any:
        """Call the function once and return its result as decoding its stored JSON gives it.

        Args:
            values: what `validate` returned.
            key: the idempotency key, passed on if the function takes one.
            heartbeat: passed on if the function takes one.

        Raises ToolFailed of kind TIMEOUT, UPSTREAM_REJECTED, UPSTREAM_DOWN (`detail["retry_after"]` has the
        seconds, if known), MALFORMED_RESULT or BUG (`detail["type"]`). A cancellation from outside goes
        through untouched.
        """
        return await self._result(self.routine, values, key, heartbeat)

    async def invoke_fallback(self, values: Mapping[str, Any], key: str | None = None) -> Any:
        """As `invoke`, with the fallback in place of the function. Raises InputInvalid when there is none."""
        if self.fallback is None:
            raise InputInvalid(f"tool {self.name} has no fallback")
        return await self._result(self.fallback, values, key)

    async def ask_reconcile(self, key: str) -> Reconciled:
        """Whether the `once` call with that key happened. Unknown() when the tool has no `reconcile`.

        Raises ToolFailed as `invoke` does when the answer could not be had or is none of the three.
        """
        if self.reconcile is None:
            return Unknown()
        asked = f"the reconcile of {self.name}"
        match await self.reconcile.call(asked, {}, key, self.timeout):
            case Applied(result):
                return Applied(self.result_type.storable(self.name, result, self.max_result))
            case NotApplied() | Unknown() as answer:
                return answer
            case other:
                raise ToolFailed(
                    f"{asked} answered with {type(other).__name__}",
                    remedy="return NotApplied(), Applied(result) or Unknown()",
                    kind=ErrorKind.MALFORMED_RESULT,
                )

    async def undo(self, values: Mapping[str, Any], *, result: Any, key: str, original_key: str) -> None:
        """Undo a call with its compensation, as `Compensation.call` says; `result` as the function's own type.

        Raises ToolFailed as `invoke` does, InputInvalid when there is no compensation.
        """
        if self.compensate is None:
            raise InputInvalid(f"tool {self.name} has no compensation")
        told = {"result": result, "key": key, "original_key": original_key}
        await self.compensate.call(self.name, values, **told, limit=self.timeout)

    async def _result(
        self, routine: Routine, values: Mapping[str, Any], key: str | None, heartbeat: Heartbeat | None = None
    ) -> Any:
        value = await routine.call(self.name, values, key, self.timeout, heartbeat)
        result = self.result_type.storable(self.name, value, self.max_result)
        if self.empty is Empty.REFUSE and result in _NOTHINGS:
            raise ToolFailed(f"{self.name} answered with nothing ({result!r})", kind=ErrorKind.INCOMPLETE)
        return result


def _side_effect(effect: SideEffect | str) -> SideEffect:
    try:
        return SideEffect(effect)
    except ValueError as error:
        raise InputInvalid(f"{effect!r} is no side effect", remedy="write read, idempotent or once") from error


def _empty(empty: Empty | str) -> Empty:
    try:
        return Empty(empty)
    except ValueError as error:
        raise InputInvalid(f"empty={empty!r} is unknown", remedy="write keep or refuse") from error


def _usual_retry(effect: SideEffect) -> Retry:
    return NEVER if effect is SideEffect.ONCE else Retry()


def _fallback(fn: Callable[..., Any], tool: Signature) -> Routine:
    taken = Signature.of(fn)
    theirs, ours = ({p.name for p in s.parameters} for s in (taken, tool))
    if theirs != ours:
        raise InputInvalid(
            f"{taken.function} cannot stand in for {tool.function}",
            why=f"only one of them takes {', '.join(sorted(theirs ^ ours))}",
            remedy="give the fallback the same parameters",
        )
    return Routine.of(fn, taken.key)


def _reconcile(fn: Callable[..., Any]) -> Routine:
    taken = list(inspect.signature(fn).parameters.values())
    if len(taken) != 1 or taken[0].kind not in (taken[0].POSITIONAL_OR_KEYWORD, taken[0].KEYWORD_ONLY):
        raise InputInvalid(
            f"{getattr(fn, '__name__', fn)} cannot reconcile",
            why="it is asked with the idempotency key and nothing else",
            remedy="give it one parameter",
        )
    return Routine.of(fn, taken[0])
