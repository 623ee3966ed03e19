"""Why something failed, as a fixed list, and how a failure is stored."""

from enum import StrEnum
from typing import Any

import msgspec


class ErrorKind(StrEnum):
    """Why something failed, as a fixed list that metrics and consoles count by."""

    INVALID_ARGUMENTS = "invalid_arguments"
    UNKNOWN_TOOL = "unknown_tool"
    WRONG_TOOL = "wrong_tool"
    CONTEXT_TRUNCATED = "context_truncated"
    UPSTREAM_REJECTED = "upstream_rejected"
    UPSTREAM_DOWN = "upstream_down"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    QUOTA = "quota"
    AUTHENTICATION = "authentication"
    INVALID_REQUEST = "invalid_request"
    CONTEXT_TOO_LONG = "context_too_long"
    CONTENT_FILTERED = "content_filtered"
    MALFORMED_RESULT = "malformed_result"
    MALFORMED_OUTPUT = "malformed_output"
    INCOMPLETE = "incomplete"
    DENIED = "denied"
    LIMIT = "limit"
    GUARDRAIL = "guardrail"
    LOOP = "loop"
    TIMEOUT = "timeout"
    UNKNOWN_OUTCOME = "unknown_outcome"
    CANCELLED = "cancelled"
    VERSION = "version"
    INPUT = "input"
    STORE = "store"
    BUG = "bug"


class ErrorRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as it stands in a journal: enough to raise the same error again.

    `path` is the effect that failed; `detail` holds JSON-like facts that a handler may need.
    """

    code: str
    kind: str
    message: str
    path: str | None = None
    detail: dict[str, Any] | None = None
