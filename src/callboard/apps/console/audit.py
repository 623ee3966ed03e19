"""Who did what: the tenant's chain of deeds, looked through and verified."""

from typing import TYPE_CHECKING

from callboard.apps.console import forms
from callboard.apps.console.rendering import HOME, page
from callboard.domain.errors import InputInvalid
from callboard.runtime import Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter

PLACE = f"{HOME}/audit"
_PAGE = 50
_GROUPS = ("runs", "approvals", "budgets", "fleet", "schedules", "keys", "people", "login")
_SINCE = {"1h": 3_600.0, "24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0}


def routes(rt: Runtime) -> "APIRouter":
    """`/console/audit`."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import At, form

    made = APIRouter()

    @made.get(PLACE)
    async def trail(
        request: Request,
        desk: At,
        actor: str = "",
        action: str = "",
        object: str = "",
        since: str = "",
        before: str = "",
    ) -> Response:
        if since and since not in _SINCE:
            raise InputInvalid(f"since={since[:20]!r} is unknown", remedy=f"use one of {', '.join(_SINCE)}")
        asked = {"actor": actor, "action": action, "object": object}
        entries = await desk.audit.find(
            **{name: forms.text(asked, name, most=300) for name, value in asked.items() if value.strip()},
            since=rt.services.clock.now() - _SINCE[since] if since else None,
            before=_number(before),
            limit=_PAGE + 1,
        )
        return page(
            request,
            desk,
            "audit.html",
            entries=entries[:_PAGE],
            older=entries[_PAGE - 1].number if len(entries) > _PAGE else None,
            before=before,
            asked=asked | {"since": since},
            groups=_GROUPS,
            spans=list(_SINCE),
        )

    @made.post(f"{PLACE}/verify")
    async def verify(request: Request, desk: At) -> Response:
        fields = await form(request)
        known = None
        if fields.get("number"):
            known = _number(fields["number"]) or 0, forms.text(fields, "seal", most=64)
        return page(request, desk, "verified.html", verified=await desk.audit.verify(known), known=known)

    return made


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InputInvalid(f"before={text[:20]!r} is no number of an entry", remedy="follow the link of the page")
    return int(text)
