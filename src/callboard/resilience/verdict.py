"""What an exception out of a call says about the upstream that was called."""

import asyncio

from callboard.domain.errors import Failure, TryLater
from callboard.domain.kinds import ErrorKind

# It was silent, away, out of its depth, or somebody else answered in its place (a proxy's HTML page, say).
_FAILED = frozenset(
    {
        ErrorKind.TIMEOUT,
        ErrorKind.UPSTREAM_DOWN,
        ErrorKind.OVERLOADED,
        ErrorKind.MALFORMED_RESULT,
        ErrorKind.MALFORMED_OUTPUT,
    }
)
# It lives and answers: no, not so, not you, not now.
_ANSWERED = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.QUOTA,
        ErrorKind.AUTHENTICATION,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.CONTEXT_TOO_LONG,
        ErrorKind.CONTENT_FILTERED,
        ErrorKind.UPSTREAM_REJECTED,
    }
)


def verdict(error: BaseException) -> bool | None:
    """Whether the upstream failed: True, False (it answered), None (the exception says nothing about it).

    Of Callboard's failures the kind decides. Of other exceptions those count that mean a broken connection or
    silence: OSError (TimeoutError is one) and EOFError. A 429 is an answer: its Retry-After is heeded, and the breaker
    stays closed.
    """
    if isinstance(error, Failure):
        if error.kind in _ANSWERED:
            return False
        return True if error.kind in _FAILED else None
    if isinstance(error, TryLater | asyncio.CancelledError):
        return None
    return True if isinstance(error, OSError | EOFError) else None


def made(failure: Failure) -> bool:
    """Whether the call may have reached the upstream: so always, unless the failure says that it surely did not."""
    return failure.detail.get("made") is not False
