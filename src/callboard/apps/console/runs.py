"""The page of all runs: a live list, filters that are links, and what the runs come to together."""

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from callboard.apps.console.filtering import SPANS, Filters, filters
from callboard.apps.console.rendering import HOME, link, page, part_wanted
from callboard.apps.console.starters import starters
from callboard.domain.ids import is_id
from callboard.domain.run import RunStatus
from callboard.runtime import Desk, Runtime, Search

if TYPE_CHECKING:
    from fastapi import APIRouter

PAGE = 50  # runs
_AT = f"{HOME}/runs"
_OPEN = (RunStatus.READY, RunStatus.RUNNING, RunStatus.WAITING)
_STUCK = (RunStatus.BLOCKED, RunStatus.DEAD)
_KINDS = 12  # kinds of failure that are offered
_AMONG = 50_000  # runs that are looked through for a page, and added up
_AMONG_TEXTS = 25_000  # the same where words are looked for in each of them
_AMONG_FAILED = 10_000  # the same of those that failed: their rows lie far apart
_FAILED = (RunStatus.FAILED, RunStatus.CANCELLED)


def routes(rt: Runtime) -> "APIRouter":
    """The list of runs."""
    from fastapi import APIRouter, Request, Response
    from fastapi.responses import RedirectResponse

    from callboard.apps.entrance import At

    made = APIRouter()

    @made.get(_AT)
    async def runs(request: Request, desk: At) -> Response:
        chosen, before = filters(request.query_params), request.query_params.get("before", "")
        if is_id(chosen.q.lower()):  # whoever pastes an id wants that run
            return RedirectResponse(f"{_AT}/{chosen.q.lower()}", 303)
        part, now = part_wanted(request), rt.services.clock.now()
        shown: dict[str, Any] = {"chosen": chosen, "hidden": chosen.without("q").query}
        parts = []
        if part in (None, "rows"):
            parts.append(_rows(desk, chosen, before if is_id(before) else "", now))
        if part in (None, "totals"):
            parts.append(_totals(desk, chosen, now))
        for values in await asyncio.gather(*parts):
            shown |= values
        return page(request, desk, "runs.html", **shown)

    return made


async def _rows(desk: Desk, chosen: Filters, before: str, now: float) -> dict[str, Any]:
    search = _search(chosen, now)
    found = await desk.runs.search(search, before=before or None, limit=PAGE + 1)
    older = link(_AT, chosen.query, before=found[PAGE - 1].id) if len(found) > PAGE else ""
    newer = link(_AT, chosen.query) if before else ""
    reach = None if older else await desk.runs.reach(search, before=before or None)
    return {
        "runs": found[:PAGE],
        "names": await starters(desk) if found else {},
        "older": older,
        "newer": newer,
        "further": "" if reach is None else link(_AT, chosen.query, before=reach),
        "among": search.among,
        "filtered": bool(chosen.query),
        "query_": chosen.query,
    }


async def _totals(desk: Desk, chosen: Filters, now: float) -> dict[str, Any]:
    """What the filter comes to; and beside it how many there would be of each other status and kind."""
    wide = chosen.without("status", "kind")
    search = _search(chosen, now)
    asked = [_search(wide, now)] if wide == chosen else [_search(wide, now), search]
    sums = await asyncio.gather(*(desk.runs.totals(each) for each in asked))
    around, these = sums[0], sums[-1]
    statuses, exact = around.statuses, set(RunStatus)
    if not around.whole:  # runs that have not ended are few, and are found wherever they stand
        exact = {*_OPEN, *_STUCK}
        some = [msgspec.structs.replace(asked[0], statuses=each, among=None) for each in (_OPEN, _STUCK)]
        for found in await asyncio.gather(*(desk.runs.totals(each) for each in some)):
            statuses = statuses | found.statuses
    names = await starters(desk) if chosen.by else {}
    kinds = sorted(around.kinds.items(), key=lambda each: -each[1])[:_KINDS]
    return {
        "count": sum(these.statuses.values()),
        "ended": {status: these.statuses.get(status, 0) for status in (RunStatus.SUCCEEDED, RunStatus.FAILED)},
        "usage": these.usage,
        "whole": these.whole,
        "more": "" if around.whole else "+",
        "added": search.among,
        "statuses": [
            (status, statuses.get(status, 0), "" if status in exact else "+", _toggled(chosen, status=status))
            for status in RunStatus
        ],
        "all_statuses": (sum(around.statuses.values()), link(_AT, chosen.query, status=None)),
        "kinds": [(kind, times, _toggled(chosen, kind=kind)) for kind, times in kinds],
        "spans": [(span, link(_AT, chosen.query, span=span)) for span in SPANS],
        "others": [
            (name, names.get(value, value), link(_AT, chosen.query, **{name: None}))
            for name, value in chosen.query.items()
            if name in ("flow", "label", "by", "q")
        ],
        "top": _toggled(chosen, top="1"),
    }


def _search(chosen: Filters, now: float) -> Search:
    """What to look for, among so many runs that a page does not wait for long."""
    search = chosen.search(now)
    failed = search.kind is not None or set(search.statuses) & set(_FAILED)
    among = _AMONG_FAILED if failed else _AMONG_TEXTS if search.text else _AMONG
    return msgspec.structs.replace(search, among=among)


def _toggled(chosen: Filters, **change: str) -> str:
    """The list with that filter; without it where it is set already."""
    ((name, value),) = change.items()
    return link(_AT, chosen.query, **{name: None if getattr(chosen, name) == value else value})
