"""Every error of Callboard, on one page. Codes are stable: programs may compare them.

    CallboardError                 callboard
    ├── InputInvalid               input_invalid         something a caller handed in; names field, value, remedy
    │   ├── Unencodable            unencodable           a value that cannot be stored as JSON, or is too large
    │   └── TooLarge               too_large             a request's body is above the limit
    ├── NotFound                   not_found
    ├── KeyConflict                key_conflict          one idempotency key, two inputs
    ├── Conflict                   conflict              somebody else decided, or the state does not allow it
    ├── Overloaded                 overloaded            too much is waiting already; says when to come back
    ├── TryLater                   try_later             the call was not made; carries `retry_after`
    │   ├── RateLimited            rate_limited          a limit leaves no room within the caller's patience
    │   └── BreakerOpen            breaker_open          an upstream failed too often and is left alone for a while
    ├── Unauthenticated            unauthenticated       nobody knows who is asking
    ├── Denied                     denied                who is asking may not
    ├── FlowMisuse                 flow_misuse           a flow did what cannot be replayed
    │   └── VersionMismatch        version_mismatch      the journal and the code disagree; the run is blocked
    ├── StoreError                 store
    │   ├── StoreUnavailable       store_unavailable     disk full, read-only folder, locked out
    │   │   └── StoreForbidden     store_forbidden       the log-in of this process may not do that there
    │   ├── StoreCorrupt           store_corrupt
    │   ├── StoreNewer             store_newer           written by a later version of Callboard
    │   ├── RowRefused             row_refused           a value that the database cannot hold
    │   └── LeaseLost              lease_lost            another worker owns the run now
    ├── Failure                    failure               recorded in a journal and raised again on replay
    │   ├── StepFailed             step_failed           a step's function raised
    │   ├── ToolFailed             tool_failed           see `kind`
    │   ├── ModelFailed            model_failed          see `kind`
    │   ├── ChildFailed            child_failed          a child run did not succeed
    │   ├── TimedOut               timed_out             ctx.timeout, a wait's time limit, a step's time limit
    │   ├── Rejected               rejected              a person said no
    │   ├── UnknownOutcome         unknown_outcome       a `once` call of which nobody knows whether it happened
    │   ├── Abandoned              abandoned             an effect was cancelled by something outside Callboard
    │   ├── OutputInvalid          output_invalid        an agent's answer does not fit its schema, repairs used up
    │   ├── Incomplete             incomplete            a partial or empty result was about to be taken for whole
    │   ├── CompensationFailed     compensation_failed   a saga could not undo what it had done, and a person gave up
    │   └── LimitReached           limit_reached         see `reason`; carries the partial result
    ├── RunFailed                  run_failed            what RunHandle.result raises
    └── RunCancelled               run_cancelled

What unwinds a flow without being an error stands in callboard.domain.suspension.
"""

from callboard.domain.error import CallboardError
from callboard.domain.failures import (
    Abandoned,
    ChildFailed,
    CompensationFailed,
    Failure,
    Incomplete,
    LimitReached,
    ModelFailed,
    OutputInvalid,
    Rejected,
    StepFailed,
    TimedOut,
    ToolFailed,
    UnknownOutcome,
)
from callboard.domain.kinds import ErrorKind, ErrorRecord


class InputInvalid(CallboardError):
    """Something that a caller handed in cannot be used."""

    code = "input_invalid"
    kind = ErrorKind.INPUT


class Unencodable(InputInvalid):
    """A value cannot be stored: it is not JSON-like, holds NaN or infinity, or is too large."""

    code = "unencodable"


class NotFound(CallboardError):
    """No such run, flow, approval or blob for this tenant."""

    code = "not_found"
    kind = ErrorKind.INPUT


class KeyConflict(CallboardError):
    """The idempotency key was used before with another input."""

    code = "key_conflict"
    kind = ErrorKind.INPUT


class Conflict(CallboardError):
    """The thing is no longer in a state that allows this."""

    code = "conflict"
    kind = ErrorKind.INPUT


class Overloaded(CallboardError):
    """A start was refused because too much is waiting already. Nothing was written; it may be repeated.

    `limit` names the setting that was reached, `value` is what was found; come back in `retry_after` seconds.
    """

    code = "overloaded"
    kind = ErrorKind.LIMIT

    def __init__(self, what: str, *, limit: str = "", value: float = 0, retry_after: float = 1.0, **said: str) -> None:
        super().__init__(what, **said)
        self.limit = limit
        self.value = value
        self.retry_after = retry_after


class TryLater(CallboardError):
    """A call was not made because now is a bad time. `retry_after` is in seconds; a guess where nobody can know."""

    code = "try_later"
    kind = ErrorKind.UPSTREAM_DOWN

    def __init__(self, what: str, *, retry_after: float = 0.0, why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.retry_after = retry_after


class RateLimited(TryLater):
    """A rate or a number of places is used up, and waiting would take longer than the caller is willing to."""

    code = "rate_limited"
    kind = ErrorKind.RATE_LIMITED


class BreakerOpen(TryLater):
    """An upstream failed so often of late that nobody calls it for a while."""

    code = "breaker_open"


class Unauthenticated(CallboardError):
    """Who asks did not show who it is: no credential, or one that is unknown, expired, revoked or forged."""

    code = "unauthenticated"
    kind = ErrorKind.AUTHENTICATION


class Denied(CallboardError):
    """Who asks is known and may not do this. Nothing was done."""

    code = "denied"
    kind = ErrorKind.DENIED


class TooLarge(InputInvalid):
    """A request is larger than this door takes. Nothing was read beyond the limit."""

    code = "too_large"


class FlowMisuse(CallboardError):
    """A flow did something that cannot be replayed."""

    code = "flow_misuse"


class VersionMismatch(FlowMisuse):
    """The journal says that the run did one thing here, the code now does another."""

    code = "version_mismatch"
    kind = ErrorKind.VERSION


class StoreError(CallboardError):
    """The store could not do what was asked; nothing was half-written."""

    code = "store"
    kind = ErrorKind.STORE


class StoreUnavailable(StoreError):
    """The store cannot be reached or written: disk full, read-only, locked."""

    code = "store_unavailable"


class StoreForbidden(StoreUnavailable):
    """The log-in with which this process uses the store may not do that: such as a door, which sees one tenant at a
    time, what belongs to all."""

    code = "store_forbidden"


class StoreCorrupt(StoreError):
    """The store's file is damaged or is no store."""

    code = "store_corrupt"


class StoreNewer(StoreError):
    """The store was written by a later version of Callboard."""

    code = "store_newer"


class RowRefused(StoreError):
    """What was to be written cannot be stored, today or later: a character or a number that the database has not."""

    code = "row_refused"


class LeaseLost(StoreError):
    """Another worker took the run over; what this one still wanted to write was refused."""

    code = "lease_lost"


class RunFailed(CallboardError):
    """The run did not succeed. `error` is the typed error that ended it, `run_id` the run, `status` its state."""

    code = "run_failed"

    def __init__(self, run_id: str, status: str, error: ErrorRecord) -> None:
        super().__init__(f"run {run_id} {status}: {error.message}", remedy=f"callboard runs show {run_id}")
        self.run_id = run_id
        self.status = status
        self.error = failure_from(error)
        self.kind = _kind(error.kind)


class RunCancelled(CallboardError):
    """The run was cancelled."""

    code = "run_cancelled"
    kind = ErrorKind.CANCELLED

    def __init__(self, run_id: str, reason: str = "") -> None:
        super().__init__(f"run {run_id} was cancelled", why=reason)
        self.run_id = run_id


_OURS = (__name__, "callboard.domain.error", "callboard.domain.failures")


def failure_from(record: ErrorRecord) -> CallboardError:
    """The error that a record describes, of the class with its code, else a plain Failure with that code."""
    cls = _by_code().get(record.code, Failure)
    if issubclass(cls, Failure):
        failure = cls(record.message, kind=_kind(record.kind), path=record.path, detail=record.detail)
        vars(failure)["code"] = record.code  # also one that no class has, such as that of a run given up for dead
        return failure
    return cls(record.message)


def _kind(text: str) -> ErrorKind:
    try:
        return ErrorKind(text)
    except ValueError:
        return ErrorKind.BUG


def _by_code() -> dict[str, type[CallboardError]]:
    found: dict[str, type[CallboardError]] = {}
    todo: list[type[CallboardError]] = [CallboardError]
    while todo:
        cls = todo.pop()
        if cls.__module__ in _OURS:  # a user's subclass must not stand in for the class that it extends
            todo.extend(cls.__subclasses__())
            if cls not in (RunFailed, RunCancelled):
                found[cls.code] = cls
    return found


__all__ = [
    "Abandoned",
    "BreakerOpen",
    "CallboardError",
    "ChildFailed",
    "CompensationFailed",
    "Conflict",
    "Denied",
    "Failure",
    "FlowMisuse",
    "Incomplete",
    "InputInvalid",
    "KeyConflict",
    "LeaseLost",
    "LimitReached",
    "ModelFailed",
    "NotFound",
    "OutputInvalid",
    "Overloaded",
    "RateLimited",
    "Rejected",
    "RowRefused",
    "RunCancelled",
    "RunFailed",
    "StepFailed",
    "StoreCorrupt",
    "StoreError",
    "StoreForbidden",
    "StoreNewer",
    "StoreUnavailable",
    "TimedOut",
    "TooLarge",
    "ToolFailed",
    "TryLater",
    "Unauthenticated",
    "Unencodable",
    "UnknownOutcome",
    "VersionMismatch",
    "failure_from",
]
