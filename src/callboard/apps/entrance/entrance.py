"""The one place where a request shows who it comes from and gets a desk to act at."""

import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from callboard.apps.entrance.addresses import Addresses
from callboard.apps.entrance.forms import form
from callboard.domain.errors import Denied, InputInvalid, Unauthenticated
from callboard.domain.principal import Principal
from callboard.runtime import Desk, Runtime

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
TENANT_HEADER = "callboard-tenant"
TENANT_COOKIE = "callboard-tenant"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_TENANT_LENGTH = 200


class Entrance:
    """Recognises who asks. One for each application, kept in its state as `entrance`.

    Attributes:
        rt: the runtime behind the door.
        cookie: the name of the console's cookie.
        secure: clients reach this by https only.
    """

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        settings = rt.settings.gateway
        self.secure = settings.public_url.startswith("https:")
        self.cookie = "__Host-callboard" if self.secure else "callboard"
        self._addresses = Addresses(settings.proxies)
        self._proxied = bool(settings.proxies)
        self._own = _origin(settings.public_url)

    async def desk(self, request: Request) -> Desk:
        """A desk for who asks, in the tenant that is asked for.

        Raises Unauthenticated, Denied for a request that another site may have made, RateLimited.
        """
        state = request.state
        state.source = self.source(request)
        principal = await self._principal(request)
        state.who = principal.who
        tenant = self._tenant(request, principal)
        route = getattr(request.scope.get("route"), "path", "")
        allowance = await self.rt.access.rates.take(principal, tenant, route=route)
        if allowance.limit:
            state.headers.update(allowance.headers())
        desk = self.rt.desk(principal, tenant=tenant, source=state.source)
        state.desk = desk
        return desk

    async def starts(self, request: Request, desk: Desk, count: int) -> None:
        """Counts so many starts against what the tenant may start. Raises RateLimited."""
        allowance = await self.rt.access.rates.take(desk.principal, desk.tenant, starts=count, requests=0)
        if allowance.limit:
            request.state.headers.update(allowance.headers())

    def trace(self, request: Request) -> str | None:
        """The `traceparent` of what this request starts; None where nobody tells or asks of it. Its span ends with the
        answer."""
        state = request.state
        if getattr(state, "span", None) is None:
            state.span = self.rt.telemetry.request(request.headers.get("traceparent"))
        header: str | None = state.span.header
        return header

    async def again(self, request: Request, desk: Desk) -> Desk:
        """A desk like this one, for who asked then, as they stand now: for answers that go on for long. It is not
        counted. Raises Unauthenticated."""
        return self.rt.desk(await self._recognised(request), tenant=desk.tenant, source=desk.source)

    def source(self, request: Request) -> str:
        """From which address the request comes."""
        peer = request.client.host if request.client else None
        forwarded = request.headers.getlist("x-forwarded-for") if self._proxied else ()
        return self._addresses.client(peer, forwarded)

    def origin(self, request: Request) -> str:
        """This door's own origin, as the client sees it."""
        if self._own:
            return self._own
        peer = request.client.host if request.client else None
        scheme = self._addresses.scheme(peer, request.headers.getlist("x-forwarded-proto"), request.url.scheme)
        return f"{scheme}://{request.headers.get('host', '').lower()}"

    def safe(self, request: Request) -> bool:
        """Whether cookies of the answer are for https only."""
        return self.secure or self.origin(request).startswith("https:")

    def same_site(self, request: Request) -> None:
        """Refuses what a page of another site made a browser send. Raises Denied."""
        site = request.headers.get("sec-fetch-site")
        told = request.headers.get("origin")
        if (site is not None and site not in ("same-origin", "none")) or (
            told is not None and told.lower() != self.origin(request)
        ):
            raise Denied(
                "this request comes from a page of another site",
                why=f"origin={told!r}",
                remedy="if that is this door's own address, set CALLBOARD_GATEWAY_PUBLIC_URL to it",
            )

    async def _principal(self, request: Request) -> Principal:
        principal = await self._recognised(request)
        token = getattr(request.state, "csrf", None)
        if token is not None and request.method not in _SAFE:
            self.same_site(request)
            if not hmac.compare_digest((await _csrf(request)).encode(), token.encode()):
                raise Denied(
                    "the request has not the token of this log-in",
                    why="it may have been made by a page of another site",
                    remedy=f"send it as header {CSRF_HEADER} or form field {CSRF_FIELD}; loading the page again helps",
                )
        return principal

    async def _recognised(self, request: Request) -> Principal:
        access = self.rt.access
        given = request.headers.get("authorization")
        if given is not None:
            scheme, _, text = given.partition(" ")
            text = text.strip()
            if scheme.lower() != "bearer" or not text or len(request.headers.getlist("authorization")) > 1:
                raise Unauthenticated(
                    "the Authorization header holds no key, or there are several",
                    remedy="send it as: Authorization: Bearer cb_…",
                )
            if text.count(".") == 2:
                return await access.authenticate_token(text)
            return await access.authenticate_key(text)
        cookie = request.cookies.get(self.cookie)
        if not cookie:
            raise Unauthenticated("nobody knows who is asking", remedy="send a key as: Authorization: Bearer cb_…")
        principal, request.state.csrf = await access.authenticate_login(cookie)
        return principal

    def _tenant(self, request: Request, principal: Principal) -> str:
        tenant = request.headers.get(TENANT_HEADER)
        if tenant is None and hasattr(request.state, "csrf"):
            tenant = (
                request.cookies.get(TENANT_COOKIE) or None
            )  # chosen on a page; what it gives is checked like a header's
        if tenant is None:
            return principal.tenant
        if not 0 < len(tenant) <= _TENANT_LENGTH or not tenant.isprintable():  # an empty one is somebody's mistake
            raise InputInvalid(f"{TENANT_HEADER}={tenant[:40]!r} is no tenant", remedy="send its name")
        return tenant


async def _csrf(request: Request) -> str:
    sent = request.headers.get(CSRF_HEADER)
    if sent is not None:
        return sent
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return (await form(request)).get(CSRF_FIELD, "")
    return ""


def _origin(url: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputInvalid(
            f"public_url={url!r} is no address of a web server", remedy="write https://agents.example.com"
        )
    return f"{parts.scheme}://{parts.netloc}".lower()


async def at_desk(request: Request) -> Desk:
    """The desk of who asks, as a dependency of routes."""
    known: Desk | None = getattr(request.state, "desk", None)
    if known is not None:
        return known
    entrance: Entrance = request.app.state.entrance
    return await entrance.desk(request)


At = Annotated[Desk, Depends(at_desk)]
