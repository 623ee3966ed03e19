"""Coming in and leaving: by name and password, by a key, or by the link that a gateway prints for who started it. Who
comes by way of a provider comes through provider.py."""

from typing import TYPE_CHECKING, Any

from callboard.apps.console import forms
from callboard.apps.console.onward import onward
from callboard.apps.console.rendering import HOME, page, redirect
from callboard.domain.errors import Denied, InputInvalid, RateLimited, Unauthenticated
from callboard.domain.principal import EVERY, Kind, Principal
from callboard.runtime import Entered, Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import Entrance

_WRONG = "That did not let you in. Look at what you typed, or ask who runs this deployment."
_TENANT = "callboard-tenant"
_LARGEST = 16 * 1024  # bytes of a log-in: whoever sends it, nobody knows them yet
_YEAR = 365 * 86_400


def routes(rt: Runtime) -> "APIRouter":
    """`/console/login`, `/console/enter`, `/console/logout`, `/console/tenant`."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import At, Entrance, form

    made = APIRouter()

    def entrance(request: Request) -> Entrance:
        found: Entrance = request.app.state.entrance
        return found

    @made.get(f"{HOME}/login")
    async def ask(request: Request, next: str = "", left: str = "") -> Response:
        cookie = request.cookies.get(entrance(request).cookie)
        if cookie:
            try:
                await rt.access.authenticate_login(cookie)
                return redirect(request, onward(next))
            except Unauthenticated:
                pass  # an old one: a new log-in replaces it
        elsewhere = await rt.access.provider.leaving(f"{entrance(request).origin(request)}{HOME}/login") if left else ""
        return asked(rt, request, onward(next), left=bool(left), elsewhere=elsewhere)

    @made.post(f"{HOME}/login")
    async def enter(request: Request) -> Response:
        entrance(request).same_site(request)
        fields = await form(request, _LARGEST)
        path, source = onward(fields.get("next")), entrance(request).source(request)
        name, by_key = fields.get("name", "").strip(), fields.get("with") == "key"
        try:
            if by_key:
                entered = await rt.access.login_with_key(_field(fields, "key"), source)
            else:
                entered = await rt.access.login(_field(fields, "name"), _field(fields, "password", strip=False), source)
        except RateLimited as later:
            rt.services.metrics.logins_failed += 1
            said = f"Too many tries. Come back in {max(1, round(later.retry_after))} seconds."
            answer = asked(rt, request, path, 429, wrong=said, by_key=by_key, name=name)
            answer.headers["Retry-After"] = str(max(1, round(later.retry_after)))
            return answer
        except (Unauthenticated, InputInvalid):
            rt.services.metrics.logins_failed += 1
            return asked(rt, request, path, 401, wrong=_WRONG, by_key=by_key, name=name)
        return let_in(rt, request, entered, path)

    @made.get(f"{HOME}/enter")
    async def by_link(request: Request, token: str = "", next: str = "") -> Response:
        if not 0 < len(token) <= 200:
            return asked(rt, request, onward(next), 401, wrong=_WRONG)
        try:
            entered = await rt.access.enter(token, entrance(request).source(request))
        except Unauthenticated:
            said = "This link was used already, or is too old. Log in, or start the gateway again for another."
            return asked(rt, request, onward(next), 401, wrong=said)
        return let_in(rt, request, entered, onward(next))

    @made.post(f"{HOME}/logout")
    async def leave(request: Request, desk: At) -> Response:
        cookie = request.cookies.get(entrance(request).cookie)
        if cookie:
            await rt.access.logout(cookie, desk.source)
        elsewhere = desk.principal.kind is Kind.OIDC and rt.access.provider.offered
        answer = redirect(request, f"{HOME}/login?left=1" if elsewhere else f"{HOME}/login")
        answer.delete_cookie(
            entrance(request).cookie, path="/", httponly=True, samesite="lax", secure=entrance(request).safe(request)
        )
        answer.delete_cookie(_TENANT, path="/")
        return answer

    @made.post(f"{HOME}/tenant")
    async def elsewhere(request: Request, desk: At) -> Response:
        tenant = forms.text(await form(request), "tenant", most=200)
        if not tenant.isprintable() or not tenant.isascii() or any(each in tenant for each in ';,"\\ '):
            raise InputInvalid(f"tenant={tenant[:40]!r} cannot be chosen here", remedy="name one that you have")
        if not _has_business(desk.principal, tenant):
            raise Denied(f"{desk.principal.name} has no business in tenant {tenant}", remedy="choose another")
        answer = redirect(request, HOME, f"You are in tenant {tenant} now.")
        answer.set_cookie(
            _TENANT,
            tenant,
            max_age=_YEAR,
            path="/",
            httponly=True,
            samesite="lax",  # it is to be there when somebody comes back from a provider, too
            secure=entrance(request).safe(request),
        )
        return answer

    return made


def _field(fields: dict[str, str], name: str, *, strip: bool = True) -> str:
    """A field that must be there; what is wrong with it is not told."""
    value = fields.get(name, "")
    value = value.strip() if strip else value
    if not 0 < len(value) <= 1_000:
        raise InputInvalid(f"{name} is empty or too long")
    return value


def asked(rt: Runtime, request: "Request", path: str, status: int = 200, **values: Any) -> "Response":
    """The page that asks who somebody is.

    Args:
        rt: says by which ways people log in.
        request: as it came.
        path: the page behind it.
        status: of the answer.
        values: what it says besides: `wrong`, `remedy`; `by_key` and `name` as they were typed; `left` after a log-out
            here, with `elsewhere` the address where one logs out at the provider.
    """
    ways = [way for way in ("password", "key", "provider") if rt.settings.gateway.lets_in_by(way)]
    known = {"wrong": "", "remedy": "", "by_key": False, "name": "", "left": False, "elsewhere": ""} | values
    known["name"] = str(known["name"])[:200]
    return page(request, None, "login.html", status, next=path, ways=ways, provider=rt.access.provider.name, **known)


def let_in(rt: Runtime, request: "Request", entered: Entered, path: str) -> "Response":
    """Gives who has logged in their cookie, and leads to a page."""
    entrance: Entrance = request.app.state.entrance
    answer = redirect(request, path)
    answer.set_cookie(
        entrance.cookie,
        entered.cookie,
        max_age=max(1, int(entered.expires_at - rt.services.clock.now())),
        path="/",
        httponly=True,
        samesite="lax",
        secure=entrance.safe(request),
    )
    if (tenant := request.cookies.get(_TENANT)) and not _has_business(entered.principal, tenant):
        answer.delete_cookie(_TENANT, path="/")
    return answer


def _has_business(principal: Principal, tenant: str) -> bool:
    return any(grant.tenant in (EVERY, tenant) for grant in principal.grants)
