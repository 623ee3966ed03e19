"""What went wrong at a provider, in our kinds."""

import re
from typing import Any

import msgspec
from pydantic_ai import exceptions as theirs

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.words import words

_LONGEST = 500
_WAITABLE = (ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED, ErrorKind.UPSTREAM_DOWN)
_NOT_SENT = ("connect", "pool")
_FILTER_CODES = frozenset(
    {"content_filter", "content_policy_violation", "moderation_blocked", "ResponsibleAIPolicyViolation"}
)
_SECRET = re.compile(
    r"(?i:bearer\s+)\S+"
    r"|\b(?:sk|pk|rk|gsk|xai|pplx|hf|AKIA|ASIA|AIza)[-_]?[A-Za-z0-9_*.\-]{6,}"
    r"|[A-Za-z0-9_\-+/=*.]{40,}"  # nothing that is meant for people is one word of such a length
)
_WAIT = re.compile(r"try again in (\d+(?:\.\d+)?)(ms|s)\b")

# The first that fits: a class before those that it extends.
_KINDS: tuple[tuple[type[Exception], ErrorKind], ...] = (
    (theirs.ModelRateLimitError, ErrorKind.RATE_LIMITED),
    (theirs.ModelQuotaExceededError, ErrorKind.QUOTA),
    (theirs.ModelUnavailableError, ErrorKind.OVERLOADED),
    (theirs.ModelServerError, ErrorKind.UPSTREAM_DOWN),
    (theirs.ModelContextWindowExceededError, ErrorKind.CONTEXT_TOO_LONG),
    (theirs.ModelAuthenticationError, ErrorKind.AUTHENTICATION),
    (theirs.ModelRequestRejectedError, ErrorKind.INVALID_REQUEST),
    (theirs.ModelTimeoutError, ErrorKind.TIMEOUT),
    (theirs.ModelRequestTimeout, ErrorKind.TIMEOUT),
    (theirs.ContentFilterError, ErrorKind.CONTENT_FILTERED),
    (theirs.UserError, ErrorKind.INVALID_REQUEST),
)
_STATUSES = {408: ErrorKind.TIMEOUT, 413: ErrorKind.CONTEXT_TOO_LONG}


def failure_of(error: Exception, reference: str, *, begun: bool, secret: str | None = None) -> ModelFailed:
    """The failure that an error of the adapter library, or of what it stands on, is.

    Args:
        error: what was raised.
        reference: which model was asked.
        begun: some of the answer had come; a connection that breaks then has cut it.
        secret: the key in use, which no message may show.
    """
    if isinstance(error, ModelFailed):
        return error
    kind = _kind(error, begun)
    said = _said(error, secret)
    detail: dict[str, Any] = {"sent": _sent(error, kind, begun)}
    if (status := getattr(error, "status_code", None)) is not None:
        detail["status"] = status
    if kind in _WAITABLE and (wait := _retry_after(error, said)) is not None:
        detail["retry_after"] = wait
    return ModelFailed(f"{reference} failed ({kind})", why=said, kind=kind, detail=detail)


def unsent(error: Exception, reference: str, kind: ErrorKind, secret: str | None = None) -> ModelFailed:
    """The failure of a request, or of a model, that did not come as far as its provider."""
    return ModelFailed(
        f"{reference} could not be asked ({kind})", why=_said(error, secret), kind=kind, detail={"sent": False}
    )


def unreadable(error: Exception, reference: str) -> ModelFailed:
    """The failure of a request that refers to what could not be fetched: some providers want the bytes themselves."""
    return ModelFailed(
        f"{reference} was not asked, since an address in its messages could not be read",
        why=_said(error, None),
        remedy="hand the bytes in as ModelRequest.media",
        kind=ErrorKind.INVALID_REQUEST,
        detail={"sent": False},
    )


def cut(reference: str) -> ModelFailed:
    """The failure of a stream that ended before its end."""
    return ModelFailed(
        f"{reference} was cut off in its answer",
        why="the stream ended without the mark of its end",
        kind=ErrorKind.MALFORMED_OUTPUT,
        detail={"sent": True},
    )


def _kind(error: Exception, begun: bool) -> ErrorKind:
    if getattr(error, "provider_error_code", None) in _FILTER_CODES:
        return ErrorKind.CONTENT_FILTERED
    for theirs_, ours in _KINDS:
        if isinstance(error, theirs_):
            return ErrorKind.OVERLOADED if ours is ErrorKind.UPSTREAM_DOWN and _is_overload(error) else ours
    if isinstance(error, theirs.ModelHTTPError):
        known = _STATUSES.get(error.status_code)
        if known is not None:
            return known
        if 400 <= error.status_code < 500:
            return ErrorKind.INVALID_REQUEST
        return ErrorKind.UPSTREAM_DOWN if error.status_code >= 500 else ErrorKind.MALFORMED_OUTPUT
    if isinstance(error, theirs.ModelConnectionError) or _is_transport(error):
        return ErrorKind.MALFORMED_OUTPUT if begun else ErrorKind.UPSTREAM_DOWN
    if isinstance(error, theirs.ModelAPIError) and error.in_stream:
        return ErrorKind.UPSTREAM_DOWN
    return ErrorKind.MALFORMED_OUTPUT


def _is_overload(error: Exception) -> bool:
    """Whether an error without a kind of its own says that there is too much to do, as some servers do in a stream."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    return str(code) in ("503", "529") or "overloaded" in (_message(body) or "").lower()


def _is_transport(error: Exception) -> bool:
    """An error of the network that the library let through: the system's, or one of an HTTP client."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore")


def _sent(error: Exception, kind: ErrorKind, begun: bool) -> bool:
    if begun or getattr(error, "in_stream", False):
        return True
    if isinstance(error, theirs.ModelConnectionError):
        return error.phase not in _NOT_SENT
    if isinstance(error, theirs.UserError):
        return False
    # A 5xx may come from a gateway that gave up on a provider at work, and so may a 408.
    status = getattr(error, "status_code", None)
    return not (isinstance(status, int) and (400 <= status < 500 or status == 529) and status != 408)


def _retry_after(error: Exception, said: str) -> float | None:
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        return float(wait)
    found = _WAIT.search(said)
    return None if found is None else float(found[1]) / (1000 if found[2] == "ms" else 1)


def _said(error: Exception, secret: str | None) -> str:
    text = _message(getattr(error, "body", None))
    if text is None and isinstance(error, theirs.ModelHTTPError):
        text = f"status {error.status_code}"  # its own words repeat the whole body
    if text is None:
        text = words(error) or type(error).__name__
        if not isinstance(error, theirs.AgentRunError | theirs.UserError):
            text = f"{type(error).__name__}: {text}"
    if secret:
        text = text.replace(secret, "…")
    return _SECRET.sub("…", text[: _LONGEST * 4])[:_LONGEST]


def _message(body: object) -> str | None:
    if isinstance(body, str):  # some libraries leave it as it came
        try:
            body = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeError):
            return None
    if not isinstance(body, dict):
        return None
    inner = body.get("error", body)
    found = inner.get("message") if isinstance(inner, dict) else inner
    return found if isinstance(found, str) and found else None
