"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}`."""

import json
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from callboard.apps.entrance import StrictRoute
from callboard.apps.entrance.disclosure import disclosed
from callboard.apps.entrance.problems import STATUSES, fields_of
from callboard.apps.gateway.answering import Responses, problem_response
from callboard.domain.codec import clean
from callboard.domain.errors import CallboardError
from callboard.domain.kinds import ErrorKind, ErrorRecord

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {"unauthenticated": "invalid_api_key", "rate_limited": "rate_limit_exceeded"}
# What a run ended with, as a status. What is not here is a 500.
_KINDS = {
    ErrorKind.INPUT: 400,
    ErrorKind.INVALID_REQUEST: 400,
    ErrorKind.CONTEXT_TOO_LONG: 400,
    ErrorKind.DENIED: 403,
    ErrorKind.GUARDRAIL: 403,
    ErrorKind.CANCELLED: 409,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.QUOTA: 429,
    ErrorKind.LIMIT: 429,
    ErrorKind.UPSTREAM_DOWN: 502,
    ErrorKind.UPSTREAM_REJECTED: 502,
    ErrorKind.AUTHENTICATION: 502,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.STORE: 503,
    ErrorKind.TIMEOUT: 504,
}
_WORDS = {
    400: "The request does not fit, or asks for what cannot be kept here.",
    401: "Nobody knows who is asking.",
    403: "Who is asking may not do this.",
    404: "There is no such thing in this tenant, or none that who is asking may see.",
    409: "The state of the thing does not allow this, or the idempotency key was used with another input.",
    429: "Too many requests, or a budget has nothing left.",
    500: "The run failed, or something went wrong here.",
    502: "The run failed: a model's provider did not answer as it should.",
    503: "Not now: the store cannot be reached, or this process is about to end.",
    504: "There is no answer yet; the run goes on.",
}
_TEXT = {"type": ["string", "null"]}
_SHAPE = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {"message": {"type": "string"}, "type": {"type": "string"}, "param": _TEXT, "code": _TEXT},
        }
    },
}
_FINAL = {"x-should-retry": "false"}  # the run has ended: sending the request again would start another one


class Refusal(Exception):
    """A request that is refused, or a run that gave no answer."""

    def __init__(self, status: int, code: str, message: str, *, param: str | None = None, final: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(_FINAL) if final else {}

    def body(self) -> dict[str, Any]:
        """As it is sent."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        if self.code == "insufficient_quota":
            kind = self.code
        return {"error": {"message": clean(self.message), "type": kind, "param": self.param, "code": self.code}}


def _described(status: int, what: str) -> dict[str, Any]:
    found: dict[str, Any] = {"description": what, "content": {"application/json": {"schema": _SHAPE}}}
    if status == 500:  # what no route has foreseen is answered by the frame around all of them
        found["content"] |= problem_response(what)["content"]
    return found


REFUSED: Responses = {status: _described(status, what) for status, what in _WORDS.items()}
"""Which errors these routes know, for the description."""


def unsupported(param: str, why: str) -> Refusal:
    """A parameter that cannot be kept here."""
    return Refusal(400, "unsupported_parameter", f"{param}: {why}", param=param)


def of_run(run_id: str, error: ErrorRecord) -> Refusal:
    """Why a run gave no answer."""
    try:
        status = _KINDS.get(ErrorKind(error.kind), 500)
    except ValueError:
        status = 500
    code = error.code
    if error.kind == ErrorKind.CONTEXT_TOO_LONG:
        code = "context_length_exceeded"
    elif error.kind in (ErrorKind.LIMIT, ErrorKind.QUOTA):
        code = "insufficient_quota"
    return Refusal(status, code, f"run {run_id} gave no answer: {error.message}", final=True)


def of_error(error: CallboardError) -> Refusal:
    """One of our errors."""
    error = disclosed(error)
    status = STATUSES.get(error.code, 500)
    if status == 422:
        status = 400  # as OpenAI says it
    said = str(error) if error.code in STATUSES else "the request could not be served"
    refusal = Refusal(status, _CODES.get(error.code, error.code), said)
    if status == 401:
        refusal.headers["WWW-Authenticate"] = 'Bearer realm="callboard"'
    if status in (429, 503):
        refusal.headers["Retry-After"] = str(max(1, math.ceil(getattr(error, "retry_after", 1.0))))
        if callable(more := getattr(error, "headers", None)):
            refusal.headers.update(more())
    return refusal


class OpenAIRoute(StrictRoute):
    """A route that answers every error in that form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler that the framework calls."""
        handler = super().get_route_handler()

        async def answering(request: Request) -> Response:
            try:
                return await handler(request)
            except Refusal as refusal:
                return _answer(refusal)
            except CallboardError as error:
                return _answer(of_error(error))
            except RequestValidationError as error:
                return _answer(_of_fields(error.errors()))
            except HTTPException as error:
                return _answer(Refusal(error.status_code, "invalid_request", str(error.detail)))

        return answering


def _of_fields(errors: Any) -> Refusal:
    first, kind = fields_of(errors)[0], next((each.get("type") for each in errors), "")
    param = first["field"].removeprefix("body.")
    if kind == "extra_forbidden":
        return Refusal(
            400, "unknown_parameter", f"{param}: this door does not know it, and ignores nothing", param=param
        )
    given = f" (got {first['value']})" if first.get("value") else ""
    return Refusal(400, "invalid_value", f"{param}: {first['message']}{given}", param=param)


def _answer(refusal: Refusal) -> Response:
    headers: Mapping[str, str] = refusal.headers
    return Response(json.dumps(refusal.body()).encode(), refusal.status, dict(headers), "application/json")
