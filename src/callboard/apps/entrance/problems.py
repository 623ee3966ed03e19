"""Errors as HTTP answers: problem details (RFC 9457) with our stable codes, and never what is nobody's business."""

import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from callboard.apps.entrance.disclosure import disclosed
from callboard.domain.codec import clean
from callboard.domain.errors import CallboardError, InputInvalid, Unauthenticated

_log = logging.getLogger("callboard.gateway")

MEDIA = "application/problem+json"
INTERNAL = "internal"
SHOWN = 120  # characters of a value that somebody handed in

STATUSES: dict[str, int] = {
    "input_invalid": 422,
    "unencodable": 422,
    "row_refused": 422,
    "too_large": 413,
    "too_slow": 408,
    "not_found": 404,
    "method_not_allowed": 405,
    "misdirected": 421,
    "key_conflict": 409,
    "conflict": 409,
    "lease_lost": 409,
    "version_mismatch": 409,
    "flow_misuse": 409,
    "overloaded": 429,
    "rate_limited": 429,
    "try_later": 503,
    "breaker_open": 503,
    "unauthenticated": 401,
    "denied": 403,
    "store": 503,
    "store_unavailable": 503,
    "store_forbidden": 403,
}

# What the framework itself answers, by the code that says it best.
_FRAMEWORK = {400: "input_invalid", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "input_invalid"}


class Problem(BaseModel):
    """Why a request was not served (RFC 9457, Problem Details for HTTP APIs)."""

    type: str = Field(examples=["urn:callboard:problem:not_found"], description="Names the kind of problem.")
    title: str = Field(examples=["Not Found"], description="The status in words.")
    status: int = Field(examples=[404], description="The HTTP status.")
    detail: str = Field(examples=["no run '01j9z3k4q8w6t5r2y1x0v7n3mb'"], description="What happened, and why.")
    code: str = Field(examples=["not_found"], description="Stable: programs may compare it.")
    remedy: str = Field(default="", examples=["callboard runs list shows the ids"], description="What to do about it.")
    instance: str = Field(default="", description="The request's id, which the log has as well.")
    errors: list[dict[str, str]] = Field(
        default_factory=list, description="For input that does not fit: each field, the value, and what is expected."
    )


def problem(
    request: Request | None,
    code: str,
    detail: str,
    *,
    status: int | None = None,
    remedy: str = "",
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    instance: str | None = None,
) -> Response:
    """The answer for an error with that code. `status` is the code's own by default, `instance` the request's id."""
    number = STATUSES.get(code, 500) if status is None else status
    said: dict[str, Any] = {
        "type": f"urn:callboard:problem:{code}",
        "title": HTTPStatus(number).phrase,
        "status": number,
        "detail": clean(detail),
        "code": code,
    }
    if remedy:
        said["remedy"] = clean(remedy)
    if request is not None:
        instance = request.scope.get("state", {}).get("request_id")
    if instance:
        said["instance"] = f"urn:callboard:request:{instance}"
    if errors:
        said["errors"] = [{name: clean(text) for name, text in each.items()} for each in errors]
    body = msgspec.json.encode(said)
    return Response(body, number, dict(headers or {}), MEDIA)


def of_error(request: Request, error: CallboardError) -> Response:
    """The answer for one of our errors."""
    known = request.scope.get("state", {}).get("request_id", "-")
    error = disclosed(error, known)
    status = STATUSES.get(error.code, 500)
    told = getattr(error, "headers", None)  # an error of rates knows how much is left
    headers: dict[str, str] = told() if callable(told) else {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="callboard"'
    if status in (429, 503):
        headers.setdefault("Retry-After", str(max(1, math.ceil(getattr(error, "retry_after", 1.0)))))
    if status >= 500 and error.code not in STATUSES:
        # A defect or a damaged store: its words may hold what is not for this reader.
        _log.error("request %s: %s: %s", known, error.code, error)
        return problem(request, error.code, "the request could not be served", status=status, headers=headers)
    detail = "; ".join(part for part in (error.what, error.why) if part)
    return problem(request, error.code, detail, remedy=error.remedy, headers=headers)


def of_status(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for what the framework refuses."""
    code = _FRAMEWORK.get(status, INTERNAL if status >= 500 else "input_invalid")
    remedy = "/openapi.json lists what there is" if status in (404, 405) else ""
    if status == 404:
        detail = f"there is nothing at {shown(request.url.path)}"
    elif status == 405:
        detail = f"{request.method} is not possible at {shown(request.url.path)}"
    return problem(request, code, detail, status=status, remedy=remedy, headers=headers)


def of_fields(request: Request, errors: Sequence[Mapping[str, Any]]) -> Response:
    """The answer for input that does not fit: names each field, what was given, and what would do."""
    found = fields_of(errors)
    first = found[0]
    given = f"={first['value']}" if first.get("value") else ""
    detail = f"{first['field']}{given}: {first['message']}"
    return problem(
        request,
        InputInvalid.code,
        detail,
        remedy="correct it; /openapi.json has the schema of each request",
        errors=found,
    )


def fields_of(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The first of the framework's findings, as they are shown; at least one."""
    return [_field(each) for each in errors[:20]] or [{"field": "body", "message": "does not fit"}]


def shown(value: Any) -> str:
    """A value that somebody handed in, short enough to be shown."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


_SECRET = ("password", "authorization", "secret", "token", "cookie", "csrf", "key")


def _field(error: Mapping[str, Any]) -> dict[str, str]:
    place = ".".join(shown(str(part)) for part in error.get("loc", ()))
    if error.get("type") == "json_invalid":
        return {"field": "body", "message": f"it is not JSON: {error.get('ctx', {}).get('error', '')}"}
    said = {"field": place or "body", "message": str(error.get("msg", "does not fit"))}
    given = error.get("input")
    hidden = any(word in place.lower() for word in _SECRET) or isinstance(given, dict | list | bytes)
    if given is not None and not hidden:
        said["value"] = shown(repr(given))
    return said
