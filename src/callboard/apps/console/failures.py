"""What a page shows in place of itself when it cannot be shown."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from callboard.apps.console.rendering import HOME, page, redirect
from callboard.apps.entrance.disclosure import disclosed
from callboard.domain.errors import (
    CallboardError,
    Conflict,
    Denied,
    InputInvalid,
    KeyConflict,
    NotFound,
    Overloaded,
    StoreError,
    StoreForbidden,
    TooLarge,
    TryLater,
    Unauthenticated,
)

if TYPE_CHECKING:
    from fastapi import Request, Response

_STATUS: tuple[tuple[type[CallboardError], int, str], ...] = (
    (Denied, 403, "You may not do this"),
    (NotFound, 404, "There is no such thing here"),
    (Conflict, 409, "This cannot be done now"),
    (KeyConflict, 409, "This cannot be done now"),
    (TooLarge, 413, "That is too large"),
    (InputInvalid, 422, "That cannot be used"),
    (Overloaded, 429, "Too much is waiting already"),
    (TryLater, 429, "Try again a little later"),
    (StoreForbidden, 403, "This gateway may not do that"),
    (StoreError, 503, "The store does not answer"),
)


def failure(request: "Request", error: CallboardError) -> "Response":
    """The answer to a request for a page that failed: the log-in where nobody is logged in, else a page that says what,
    why, and what to do."""
    if isinstance(error, Unauthenticated):
        # What is asked for in the background goes nowhere by itself: the page that asked leads to the log-in.
        background = "Callboard-Part" in request.headers
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = back if request.method == "GET" and not background else HOME
        return redirect(request, f"{HOME}/login?next={quote(asked, safe='')}")
    error = disclosed(error, request.scope.get("state", {}).get("request_id", "-"))
    status, title = next(((code, said) for kind, code, said in _STATUS if isinstance(error, kind)), (500, "A mistake"))
    return page(request, None, "failure.html", status, title=title, error=error, code=status)
