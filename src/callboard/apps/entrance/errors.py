"""Every error that leaves the application, as an answer: pages for people, problem details for programs."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from callboard.apps.entrance.problems import of_error, of_fields, of_status
from callboard.domain.errors import CallboardError, Denied, InputInvalid, NotFound

Failure = Callable[[Request, CallboardError], Response]
Answered = Callable[[Request, Any], Awaitable[Response]]


def answer_errors(app: FastAPI, page: Failure | None = None) -> Answered:
    """Installs the handlers, and returns one for all of them. `page` makes the answer for who asked for a page."""

    async def ours(request: Request, error: Any) -> Response:
        if page is not None and _wants_page(request):
            return page(request, error)
        return of_error(request, error)

    async def fields(request: Request, error: Any) -> Response:
        if page is not None and _wants_page(request):
            first: dict[str, Any] = next(iter(error.errors()), {})
            place = ".".join(str(part) for part in first.get("loc", ()))
            return page(request, InputInvalid(f"{place or 'the request'}: {first.get('msg', 'does not fit')}"))
        return of_fields(request, error.errors())

    async def framework(request: Request, error: Any) -> Response:
        if page is not None and _wants_page(request) and error.status_code in (403, 404):
            kind = NotFound if error.status_code == 404 else Denied
            return page(request, kind("there is no such page"))
        return of_status(request, error.status_code, str(error.detail), error.headers)

    app.add_exception_handler(CallboardError, ours)
    app.add_exception_handler(RequestValidationError, fields)
    app.add_exception_handler(HTTPException, framework)

    async def answered(request: Request, error: Any) -> Response:
        handler = fields if isinstance(error, RequestValidationError) else framework
        return await (ours if isinstance(error, CallboardError) else handler)(request, error)

    return answered


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")
