"""What a declared policy says about a call that goes wrong: pure, so that a report can hold what happened against it.

The rules are written out here once more, on purpose: a report that asked the code under test what it should do would
always agree with it.
"""

from dataclasses import dataclass
from enum import StrEnum

from callboard.domain.kinds import ErrorKind
from callboard.resilience.faults import FaultKind
from callboard.tools import SideEffect


class Deed(StrEnum):
    """What happened to a call after it was struck."""

    ANSWERED = "answered"
    RETRIED = "retried"
    FELL_BACK = "fell back"
    FAILED = "failed"
    FOUND_OUT = "found out that it had happened"
    MADE = "found out that it had not happened, and made it"
    PERSON = "asked a person"
    AGAIN = "made again by the next worker"
    DEAD = "given up: too many workers died of it"
    CANCELLED = "was cancelled"
    NOTHING = "nothing was recorded"


@dataclass(frozen=True, slots=True)
class Expected:
    """What may follow; with FAILED and RETRIED goes the kind of the failure."""

    deeds: frozenset[Deed]
    kind: ErrorKind | None = None

    def __str__(self) -> str:
        told = " or ".join(sorted(self.deeds))
        return f"{told} ({self.kind})" if self.kind is not None else told


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """What is declared for a tool.

    Attributes:
        effect: read, idempotent or once.
        attempts: calls in all; of a `once` tool those that turned out not to have happened.
        fallback: whether one is declared.
        reconcile: whether somebody can tell if a `once` call happened.
        typed: whether a result of another form is noticed.
        refuses_empty: whether an empty result is a failure.
        hedged: whether a slow read is made a second time.
    """

    effect: SideEffect
    attempts: int
    fallback: bool = False
    reconcile: bool = False
    typed: bool = True
    refuses_empty: bool = False
    hedged: bool = False


_TOOL_KINDS = {
    FaultKind.TIMEOUT: ErrorKind.TIMEOUT,
    FaultKind.RATE_LIMITED: ErrorKind.RATE_LIMITED,
    FaultKind.ERROR: ErrorKind.UPSTREAM_DOWN,
    FaultKind.UNAVAILABLE: ErrorKind.UPSTREAM_DOWN,
    FaultKind.REFUSED: ErrorKind.UPSTREAM_DOWN,
    FaultKind.CUT: ErrorKind.UPSTREAM_DOWN,
    FaultKind.MALFORMED: ErrorKind.MALFORMED_RESULT,
    FaultKind.SCHEMA: ErrorKind.MALFORMED_RESULT,
    FaultKind.EMPTY: ErrorKind.INCOMPLETE,
}
_PASSING = frozenset({ErrorKind.TIMEOUT, ErrorKind.RATE_LIMITED, ErrorKind.UPSTREAM_DOWN})
_STOOD_IN_FOR = _PASSING | {ErrorKind.MALFORMED_RESULT, ErrorKind.INCOMPLETE}


def tool_failure(policy: ToolPolicy, kind: FaultKind) -> ErrorKind | None:
    """The kind of failure that a fault is for such a tool; None if the call is answered all the same."""
    if (kind is FaultKind.SCHEMA and not policy.typed) or (kind is FaultKind.EMPTY and not policy.refuses_empty):
        return None
    return _TOOL_KINDS.get(kind)


def expected_of_tool(policy: ToolPolicy, kind: FaultKind, attempt: int) -> Expected:
    """What follows when the attempt with that number, from 1, is struck by a fault that reached the tool."""
    failure = tool_failure(policy, kind)
    once = policy.effect is SideEffect.ONCE
    if kind is FaultKind.KILL:
        return _doubt(policy, attempt) if once else _just(Deed.AGAIN)
    if failure is None:
        return _just(Deed.ANSWERED)
    if once:
        # An answer that came and is of no use says at least that the call happened.
        known = kind is FaultKind.SCHEMA or failure is ErrorKind.INCOMPLETE
        return _ended(policy, failure) if known else _doubt(policy, attempt)
    if failure in _PASSING and attempt < policy.attempts:
        return _just(Deed.RETRIED, failure)
    return _ended(policy, failure)


@dataclass(frozen=True, slots=True)
class ModelPolicy:
    """What is declared for a model call: how often each candidate may be asked, and how many candidates there are."""

    attempts: int
    candidates: int = 1


_MODEL_KINDS = {
    FaultKind.TIMEOUT: ErrorKind.TIMEOUT,
    FaultKind.RATE_LIMITED: ErrorKind.RATE_LIMITED,
    FaultKind.ERROR: ErrorKind.UPSTREAM_DOWN,
    FaultKind.UNAVAILABLE: ErrorKind.OVERLOADED,
    FaultKind.REFUSED: ErrorKind.UPSTREAM_DOWN,
    FaultKind.CUT: ErrorKind.MALFORMED_OUTPUT,
    FaultKind.MALFORMED: ErrorKind.MALFORMED_OUTPUT,
    FaultKind.EMPTY: ErrorKind.INCOMPLETE,
}


def model_failure(kind: FaultKind) -> ErrorKind | None:
    """The kind of failure that a fault is for a model; None if there is an answer all the same."""
    return _MODEL_KINDS.get(kind)


def expected_of_model(policy: ModelPolicy, kind: FaultKind, attempt: int) -> Expected:
    """What follows when the attempt with that number, from 1 over all candidates, is struck."""
    if kind is FaultKind.KILL:
        return _just(Deed.AGAIN)
    failure = _MODEL_KINDS.get(kind)
    if failure is None:
        return _just(Deed.ANSWERED)
    if attempt < policy.attempts:
        return _just(Deed.RETRIED, failure)
    if attempt < policy.attempts * policy.candidates:  # whoever is left may lack what the request needs
        return Expected(frozenset({Deed.RETRIED, Deed.FAILED}), failure)
    return _just(Deed.FAILED, failure)


def expected_of_compensation(policy: ToolPolicy, kind: FaultKind) -> Expected:
    """What follows when undoing a tool's call is struck: it is tried again, and when that does not help a person is
    asked; never is it given up in silence."""
    if kind is FaultKind.KILL:
        return _just(Deed.AGAIN)
    if tool_failure(policy, kind) is None or kind in (FaultKind.SCHEMA, FaultKind.EMPTY):
        return _just(Deed.ANSWERED)
    return Expected(frozenset({Deed.RETRIED, Deed.PERSON}))


def _doubt(policy: ToolPolicy, attempt: int) -> Expected:
    if not policy.reconcile:
        return _just(Deed.PERSON)
    # Which of them depends on whether it had happened; a reconciliation that does not know leaves it to a person.
    unmade = {Deed.MADE} if attempt < policy.attempts else {Deed.FAILED, Deed.FELL_BACK}
    return Expected(frozenset({Deed.FOUND_OUT, Deed.PERSON, *unmade}))


def _ended(policy: ToolPolicy, failure: ErrorKind) -> Expected:
    if policy.fallback and failure in _STOOD_IN_FOR:
        return _just(Deed.FELL_BACK)
    return _just(Deed.FAILED, failure)


def _just(deed: Deed, kind: ErrorKind | None = None) -> Expected:
    return Expected(frozenset({deed}), kind)
