"""Errors that are recorded in a journal and raised again on replay. The tree is drawn in callboard.domain.errors."""

from typing import Any

from callboard.domain.error import CallboardError
from callboard.domain.kinds import ErrorKind, ErrorRecord

# What the other side, or who checked the call before, definitely did not let happen.
_NOT_APPLIED = frozenset(
    {
        ErrorKind.UPSTREAM_REJECTED,
        ErrorKind.INVALID_ARGUMENTS,
        ErrorKind.UNKNOWN_TOOL,
        ErrorKind.WRONG_TOOL,
        ErrorKind.DENIED,
    }
)


class Failure(CallboardError):
    """A failure that is part of a run's history. Raised alike when it happens and when it is replayed.

    `path` names the effect in the journal; `detail` holds JSON-like facts.
    """

    code = "failure"

    def __init__(
        self,
        what: str,
        *,
        kind: ErrorKind | None = None,
        path: str | None = None,
        detail: dict[str, Any] | None = None,
        why: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(what, why=why, remedy=remedy)
        if kind is not None:
            self.kind = kind
        self.path = path
        self.detail = detail or {}

    @property
    def unmade(self) -> bool:
        """True when what failed was surely not applied: it was refused before, or by the other side.

        It speaks of the last attempt only: where one before it may have been applied, `detail["doubt"]` is set.
        """
        if self.detail.get("doubt"):
            return False
        return self.kind in _NOT_APPLIED or self.detail.get("made") is False or bool(self.detail.get("refused"))

    def record(self) -> ErrorRecord:
        """This error as it is stored; `failure_from` makes the error again."""
        return ErrorRecord(self.code, str(self.kind), str(self), self.path, self.detail or None)


class StepFailed(Failure):
    """The function of a step raised. `detail["type"]` is the exception's class name."""

    code = "step_failed"


class ToolFailed(Failure):
    """A tool call failed; `kind` says how."""

    code = "tool_failed"


class ModelFailed(Failure):
    """A model call failed; `kind` says how."""

    code = "model_failed"


class ChildFailed(Failure):
    """A child run failed or was cancelled. `detail` has its `run_id`, `status` and `error`."""

    code = "child_failed"


class TimedOut(Failure):
    """A time limit was reached."""

    code = "timed_out"
    kind = ErrorKind.TIMEOUT


class Rejected(Failure):
    """A person rejected the proposal, or nobody decided in time and the default is to reject."""

    code = "rejected"
    kind = ErrorKind.DENIED


class UnknownOutcome(Failure):
    """Nobody knows whether a `once` call happened, and it was given up."""

    code = "unknown_outcome"
    kind = ErrorKind.UNKNOWN_OUTCOME


class Abandoned(Failure):
    """Something outside Callboard (a plain `asyncio.timeout`, say) cancelled an effect in flight."""

    code = "abandoned"


class OutputInvalid(Failure):
    """An agent's answer did not fit its output schema, and the repairs were used up."""

    code = "output_invalid"
    kind = ErrorKind.MALFORMED_OUTPUT


class Incomplete(Failure):
    """A partial or empty result was about to be passed on as if it were whole. `detail["place"]` says where."""

    code = "incomplete"
    kind = ErrorKind.INCOMPLETE


class CompensationFailed(Failure):
    """A saga could not undo all that it had done. `detail["left"]` lists what still stands."""

    code = "compensation_failed"
    kind = ErrorKind.UNKNOWN_OUTCOME


class LimitReached(Failure):
    """An agent was stopped before it was done.

    `reason` is one of turns, tool_calls, seconds, tokens, usd, depth; budget (`detail["budget"]` names it);
    no_progress (`detail["pattern"]` says which); or the name of a stop condition. `partial` is what there was by
    then: `{"text", "turns", "tool_calls", "usage"}`.
    """

    code = "limit_reached"
    kind = ErrorKind.LIMIT

    @property
    def reason(self) -> str:
        """Which limit."""
        return str(self.detail.get("reason", ""))

    @property
    def partial(self) -> dict[str, Any]:
        """The best result that there was when the limit was reached."""
        return dict(self.detail.get("partial", {}))
