"""What sort of failure a failure is: each kind of error belongs to exactly one of thirteen classes.

Kinds say what the code must know to act; classes are what people count by.
"""

from enum import StrEnum

from callboard.domain.kinds import ErrorKind


class ErrorClass(StrEnum):
    """A sort of failure."""

    INVALID_ARGUMENTS = "invalid_arguments"
    INVENTED_TOOL = "invented_tool"
    WRONG_TOOL = "wrong_tool"
    CONTEXT_TRUNCATED = "context_truncated"
    UPSTREAM_REJECTED = "upstream_rejected"
    UPSTREAM_DOWN = "upstream_down"
    MALFORMED_OUTPUT = "malformed_output"
    BUDGET = "budget"
    GUARDRAIL = "guardrail"
    LOOP = "loop"
    TIMEOUT = "timeout"
    UNKNOWN_OUTCOME = "unknown_outcome"
    BUG = "bug"


_K, _C = ErrorKind, ErrorClass

CLASSES: dict[ErrorKind, ErrorClass] = {
    _K.INVALID_ARGUMENTS: _C.INVALID_ARGUMENTS,
    _K.INPUT: _C.INVALID_ARGUMENTS,
    _K.UNKNOWN_TOOL: _C.INVENTED_TOOL,
    _K.WRONG_TOOL: _C.WRONG_TOOL,
    _K.CONTEXT_TRUNCATED: _C.CONTEXT_TRUNCATED,
    _K.CONTEXT_TOO_LONG: _C.CONTEXT_TRUNCATED,
    _K.UPSTREAM_REJECTED: _C.UPSTREAM_REJECTED,
    _K.AUTHENTICATION: _C.UPSTREAM_REJECTED,
    _K.INVALID_REQUEST: _C.UPSTREAM_REJECTED,
    _K.CONTENT_FILTERED: _C.UPSTREAM_REJECTED,
    _K.UPSTREAM_DOWN: _C.UPSTREAM_DOWN,
    _K.RATE_LIMITED: _C.UPSTREAM_DOWN,
    _K.OVERLOADED: _C.UPSTREAM_DOWN,
    _K.STORE: _C.UPSTREAM_DOWN,
    _K.MALFORMED_RESULT: _C.MALFORMED_OUTPUT,
    _K.MALFORMED_OUTPUT: _C.MALFORMED_OUTPUT,
    _K.INCOMPLETE: _C.MALFORMED_OUTPUT,
    _K.LIMIT: _C.BUDGET,
    _K.QUOTA: _C.BUDGET,
    _K.GUARDRAIL: _C.GUARDRAIL,
    _K.DENIED: _C.GUARDRAIL,  # somebody said no,
    _K.CANCELLED: _C.GUARDRAIL,  # or stopped it on purpose
    _K.LOOP: _C.LOOP,
    _K.TIMEOUT: _C.TIMEOUT,
    _K.UNKNOWN_OUTCOME: _C.UNKNOWN_OUTCOME,
    _K.VERSION: _C.BUG,
    _K.BUG: _C.BUG,
}

_BY_TEXT: dict[str, ErrorClass] = {str(kind): found for kind, found in CLASSES.items()}


def class_of(kind: str) -> ErrorClass:
    """The class of a kind of error; of a kind that nobody knows, BUG."""
    return _BY_TEXT.get(kind, ErrorClass.BUG)
