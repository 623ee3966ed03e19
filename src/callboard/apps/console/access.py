"""Keys of programs and people who log in: made, changed, ended; and what each role may do."""

from typing import TYPE_CHECKING, Any

from callboard.apps.console import forms
from callboard.apps.console.granted import expiry, grants, in_words, number
from callboard.apps.console.rendering import HOME, page, redirect
from callboard.domain.errors import CallboardError, Conflict, InputInvalid
from callboard.domain.principal import EVERY, Role
from callboard.runtime import ALLOWED, UNSCOPED, Action, Desk, Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter

PLACE = f"{HOME}/access"
_HOUR = 3_600.0
_REFUSED = (InputInvalid, Conflict)  # what a form can be mended after; what is denied is a page of its own


def routes(rt: Runtime) -> "APIRouter":
    """`/console/access` and its forms."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import At, form

    made = APIRouter()

    async def shown(request: Request, desk: Desk, status: int = 200, **values: Any) -> Response:
        now = rt.services.clock.now()
        keys = await desk.credentials.keys()
        return page(
            request,
            desk,
            "access.html",
            status,
            keys=[(key, state_of(key, now)) for key in keys],
            people=await desk.credentials.people(),
            in_words=in_words,
            roles=list(Role),
            role_options=[(str(role), str(role)) for role in Role],
            role_columns=[("may", ""), *((str(role), "") for role in Role)],
            actions=list(Action),
            allowed=ALLOWED,
            unscoped=UNSCOPED,
            everywhere=any(grant.tenant == EVERY for grant in desk.principal.grants),
            **{"new": None, "wrong": "", "given": {}} | values,
        )

    async def wrong(request: Request, desk: Desk, error: CallboardError, fields: dict[str, str], at: str) -> Response:
        given = {name: value for name, value in fields.items() if name not in ("csrf", "password")}
        return await shown(request, desk, 422, wrong=str(error), given=given | {"form": at})

    @made.get(PLACE)
    async def all_of_it(request: Request, desk: At) -> Response:
        return await shown(request, desk)

    @made.post(f"{PLACE}/keys")
    async def create(request: Request, desk: At) -> Response:
        fields = await form(request)
        try:
            given = grants(fields, desk.tenant)
            ends = expiry(fields, rt.services.clock.now())
            new = await desk.credentials.create_key(forms.text(fields, "name", most=200), given, expires_at=ends)
        except _REFUSED as error:
            return await wrong(request, desk, error, fields, "key")
        return await shown(request, desk, 201, new=new)

    @made.post(f"{PLACE}/keys/{{key_id}}/rotate")
    async def rotate(request: Request, desk: At, key_id: str) -> Response:
        fields = await form(request)
        try:
            hours = number(forms.text(fields, "hours", most=20), "hours")
            new = await desk.credentials.rotate_key(
                key_id, overlap=hours * _HOUR, expires_at=expiry(fields, rt.services.clock.now())
            )
        except _REFUSED as error:
            return redirect(request, PLACE, str(error), bad=True)
        return await shown(request, desk, 201, new=new)

    @made.post(f"{PLACE}/keys/{{key_id}}/revoke")
    async def revoke(request: Request, desk: At, key_id: str) -> Response:
        key = await desk.credentials.revoke_key(key_id)
        return redirect(request, PLACE, f"The key {key.name} is revoked.")

    @made.post(f"{PLACE}/people")
    async def add(request: Request, desk: At) -> Response:
        fields = await form(request)
        try:
            person = await desk.credentials.add_person(
                forms.text(fields, "login", most=200),
                forms.text(fields, "name", most=200),
                _password(fields),
                grants(fields, desk.tenant),
            )
        except _REFUSED as error:
            return await wrong(request, desk, error, fields, "person")
        return redirect(request, PLACE, f"{person.name} can log in as {person.login}.")

    @made.post(f"{PLACE}/people/{{what}}")
    async def change(request: Request, desk: At, what: str) -> Response:
        fields = await form(request)
        people, login = desk.credentials, fields.get("login", "")
        try:
            match what:
                case "disable":
                    said = f"{(await people.disable(login)).name} can log in no longer."
                case "enable":
                    said = f"{(await people.enable(login)).name} can log in again."
                case "logout":
                    said = f"{login} was logged out of {await people.end_logins(login)} places."
                case "password":
                    said = f"{(await people.set_password(login, _password(fields))).name} has a new password."
                case "grant":
                    said = f"{(await people.grant(login, grants(fields, desk.tenant))).name} has new grants."
                case _:
                    raise InputInvalid(f"{what[:40]!r} cannot be done to a person", remedy="use the page's buttons")
        except _REFUSED as error:
            return redirect(request, PLACE, str(error), bad=True)
        return redirect(request, PLACE, said)

    return made


def state_of(key: Any, now: float) -> str:
    """`good`, `expired`, `revoked`, or `ending` for one that was replaced and is good for a while yet."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return "ending" if key.expires_at is not None and key.expires_at - now < 7 * 24 * _HOUR else "good"


def _password(fields: dict[str, str]) -> str:
    password = fields.get("password", "")
    if not password:
        raise InputInvalid("the password is empty", remedy="give one")
    if len(password) > 1_000:
        raise InputInvalid("the password is too long", remedy="give one of 1,000 characters at most")
    return password
