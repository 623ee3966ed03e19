"""Answers as JSON, and how the API's description tells of them: both from the same structs."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import Path, Query
from fastapi.responses import Response

Responses = dict[int | str, dict[str, Any]]

RUN = "01kapxq2v8w6t5r2y1x0v7n3mb"
_ID = "^[0-9a-hjkmnp-tv-z]{26}$"
_REF = "#/components/schemas/"
_encoder = msgspec.json.Encoder(decimal_format="string")

RunId = Annotated[str, Path(pattern=_ID, description="A run's id.", examples=[RUN])]
SessionId = Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f/]{1,128}$", description="A session's id.", examples=[RUN])]
Limit = Annotated[int, Query(ge=1, le=1_000, description="How many at most.", examples=[50])]
Before = Annotated[
    str | None, Query(pattern=_ID, description="The page after the one whose `next` this was.", examples=[RUN])
]


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(_encoder.encode(value), status, dict(headers or {}), "application/json")


def gives(kind: type[msgspec.Struct], what: str, *, status: int = 200, example: Any = None) -> Responses:
    """What a route answers when all is well, for its description."""
    body: dict[str, Any] = {"schema": {"$ref": f"{_REF}{kind.__name__}"}}
    if example is not None:
        body["example"] = example
    return {status: {"description": what, "content": {"application/json": body}}}


def refuses(*statuses: int) -> Responses:
    """Which errors a route knows beside those that every route has."""
    return {status: problem_response(_WORDS[status]) for status in statuses}


def problem_response(what: str) -> dict[str, Any]:
    """An answer that is a problem, for a description."""
    return {
        "description": what,
        "content": {"application/problem+json": {"schema": {"$ref": f"{_REF}Problem"}}},
    }


_WORDS = {
    400: "The request cannot be read.",
    401: "Nobody knows who is asking.",
    403: "Who is asking may not do this.",
    404: "There is no such thing in this tenant, or none that who is asking may see.",
    408: "The body came too slowly.",
    409: "The state of the thing does not allow this, or the idempotency key was used with another input.",
    413: "The body is too large.",
    422: "Something in the request does not fit; `errors` names the fields.",
    429: "Too many requests, or too many runs that wait; `Retry-After` says when to come back.",
    500: "Something went wrong here; the log has it under the request's id.",
    503: "Not now: the store cannot be reached, or this process is about to end.",
}

EVERYWHERE: Responses = {status: problem_response(_WORDS[status]) for status in (400, 401, 403, 422, 429, 500, 503)}
WITH_BODY: Responses = {status: problem_response(_WORDS[status]) for status in (408, 413)}
