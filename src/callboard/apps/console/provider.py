"""Coming in by way of an OpenID Connect provider: leaving for it, and coming back."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from callboard.apps.console.login import asked, let_in
from callboard.apps.console.onward import onward
from callboard.apps.console.rendering import HOME, link, redirect
from callboard.domain.errors import CallboardError, Denied, RateLimited, TryLater, Unauthenticated
from callboard.runtime import Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter

_BACK = f"{HOME}/login/callback"
_TIME = 600  # seconds for which the browser keeps the cookie


def routes(rt: Runtime) -> "APIRouter":
    """`/console/login/oidc`, `/console/login/callback`."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import Entrance

    made = APIRouter()

    def entrance(request: Request) -> Entrance:
        found: Entrance = request.app.state.entrance
        return found

    def back(request: Request) -> str:
        return f"{entrance(request).origin(request)}{_BACK}"

    def cookie(request: Request) -> str:
        return f"{entrance(request).cookie}-login"

    def attributes(request: Request) -> dict[str, Any]:
        # Lax, since the answer comes from another site; `__Host-` demands this path.
        return {"path": "/", "httponly": True, "samesite": "lax", "secure": entrance(request).safe(request)}

    def refused(request: Request, path: str, error: CallboardError) -> Response:
        """The log-in page, which says what went wrong and what to do about it."""
        rt.services.metrics.logins_failed += 1
        said = f"{error.what[:1].upper()}{error.what[1:]}{f': {error.why}' if error.why else ''}."
        remedy = f"{error.remedy[:1].upper()}{error.remedy[1:]}." if error.remedy else ""
        status = 403 if isinstance(error, Denied) else 401 if isinstance(error, Unauthenticated) else 503
        if isinstance(error, RateLimited):
            status = 429
        answer = asked(rt, request, path, status, wrong=said, remedy=remedy)
        answer.headers["Referrer-Policy"] = "no-referrer"  # the address of this page may hold a code
        if isinstance(error, TryLater):
            answer.headers["Retry-After"] = str(max(1, round(error.retry_after)))
        return answer

    @made.get(f"{HOME}/login/oidc")
    async def depart(request: Request, next: str = "", moved: str = "") -> Response:
        origin = entrance(request).origin(request)
        if not moved and request.headers.get("host", "").lower() != urlsplit(origin).netloc:
            # The cookie has to be that of the host to which people come back. Once: a proxy may change the name.
            return redirect(request, f"{origin}{link(f'{HOME}/login/oidc', next=onward(next), moved='1')}")
        try:
            departure = await rt.access.provider.begin(onward(next), back(request))
        except TryLater as error:
            return refused(request, onward(next), error)
        answer = Response(status_code=303, headers={"Location": departure.url})
        answer.set_cookie(cookie(request), departure.cookie, max_age=_TIME, **attributes(request))
        return answer

    @made.get(_BACK)
    async def arrive(request: Request) -> Response:
        # An address of this page in another, or asked for by a script, is nobody's log-in: it is not even counted.
        if request.headers.get("sec-fetch-dest", "document") != "document":
            raise Denied("a log-in is not finished inside another page", remedy="log in again")
        brought = request.cookies.get(cookie(request), "")
        path = onward(rt.access.provider.path(brought))
        try:
            entered = await rt.access.provider.finish(
                brought, request.query_params.multi_items(), back(request), entrance(request).source(request)
            )
        except (Unauthenticated, Denied, TryLater) as error:
            # The cookie stays: what came may not be the answer that this browser waits for.
            return refused(request, path, error)
        answer = let_in(rt, request, entered, path)
        answer.delete_cookie(cookie(request), **attributes(request))
        return answer

    return made
