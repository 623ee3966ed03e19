"""Who is asking, the record of what was done, and the configuration in force."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import Limit, answer, gives
from callboard.apps.gateway.credentials import GrantView, grant_view
from callboard.runtime import Action, Entry, Report

router = APIRouter(prefix="/v1", tags=["account"], route_class=StrictRoute)


class WhoView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking, in which tenant, and what it may do there at all."""

    who: str
    kind: str
    name: str
    tenant: str
    grants: list[GrantView]
    actions: list[str]


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, or tried. `at` is in seconds since the Unix epoch, `seal` in hexadecimal."""

    number: int
    at: float
    actor: str
    name: str
    action: str
    object: str
    source: str
    before: Any
    after: Any
    outcome: str
    seal: str


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, newest first; `next` goes into `before` for the next page, null at the end."""

    items: list[EntryView]
    next: int | None


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration in force; secrets are masked."""

    settings: dict[str, Any]


_Text = Annotated[str | None, Query(max_length=300, pattern=r"^[^\x00]*$")]
_Moment = Annotated[float | None, Query(ge=0, le=253_402_300_799, description="Epoch seconds.")]


@router.get("/whoami", responses=gives(WhoView, "It."), summary="See who is asking")
async def whoami(desk: At) -> Response:
    """Who the key, the token or the log-in belongs to. Anybody who is known may ask."""
    principal = desk.principal
    view = WhoView(
        who=principal.who,
        kind=principal.kind,
        name=principal.name,
        tenant=desk.tenant,
        grants=[grant_view(each) for each in principal.grants],
        actions=sorted(action for action in Action if desk.may(action)),
    )
    return answer(view)


@router.get("/audit", responses=gives(EntryPage, "A page of entries."), summary="Read the record")
async def audit(
    desk: At,
    actor: _Text = None,
    action: _Text = None,
    object: _Text = None,
    since: _Moment = None,
    until: _Moment = None,
    before: Annotated[int | None, Query(ge=1, le=2**53, description="The `next` of the page before.")] = None,
    limit: Limit = 100,
) -> Response:
    """Who did what to what, from where, before and after. `action` may end in `*`."""
    found = await desk.audit.find(
        actor=actor, action=action, object=object, since=since, until=until, before=before, limit=limit
    )
    more = found[-1].number if len(found) == limit else None
    return answer(EntryPage(items=[_entry(each) for each in found], next=more))


@router.get("/audit/verify", responses=gives(Report, "What came of it."), summary="Verify the record")
async def verify(
    desk: At,
    number: Annotated[int | None, Query(ge=1, le=2**53, description="Of an entry that was the last one once.")] = None,
    seal: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="That entry's seal.")] = None,
) -> Response:
    """Seals the whole chain again. With the number and the seal of an entry that somebody noted elsewhere, it also
    tells whether entries are missing at the end."""
    known = None if number is None or seal is None else (number, seal)
    return answer(await desk.audit.verify(known))


@router.get("/settings", responses=gives(SettingsView, "It."), summary="See the configuration")
async def settings(desk: At) -> Response:
    """The configuration in force in this process."""
    return answer(SettingsView(settings=desk.settings()))


def _entry(entry: Entry) -> EntryView:
    deed = entry.deed
    return EntryView(
        number=entry.number,
        at=deed.at,
        actor=deed.actor,
        name=deed.name,
        action=deed.action,
        object=deed.object,
        source=deed.source,
        before=deed.before,
        after=deed.after,
        outcome=deed.outcome,
        seal=entry.seal.hex(),
    )


VIEWS = (WhoView, EntryPage, Report, SettingsView)
