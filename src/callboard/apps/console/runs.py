"""The page of all runs: a live list, filters that are links, and what the runs come to together."""

from typing import TYPE_CHECKING, Any

from callboard.apps.console.filtering import SPANS, Filters, filters
from callboard.apps.console.rendering import HOME, link, page, part_wanted
from callboard.apps.console.starters import starters
from callboard.domain.ids import is_id
from callboard.domain.run import RunStatus
from callboard.runtime import Desk, Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter

PAGE = 50  # runs
_AT = f"{HOME}/runs"
_KINDS = 12  # kinds of failure that are offered


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
        if part in (None, "rows"):
            shown |= await _rows(desk, chosen, before if is_id(before) else "", now)
        if part in (None, "totals"):
            shown |= await _totals(desk, chosen, now)
        return page(request, desk, "runs.html", **shown)

    return made


async def _rows(desk: Desk, chosen: Filters, before: str, now: float) -> dict[str, Any]:
    found = await desk.runs.search(chosen.search(now), before=before or None, limit=PAGE + 1)
    older = link(_AT, chosen.query, before=found[PAGE - 1].id) if len(found) > PAGE else ""
    newer = link(_AT, chosen.query) if before else ""
    return {
        "runs": found[:PAGE],
        "names": await starters(desk) if found else {},
        "older": older,
        "newer": newer,
        "filtered": bool(chosen.query),
        "query_": chosen.query,
    }


async def _totals(desk: Desk, chosen: Filters, now: float) -> dict[str, Any]:
    """What the filter comes to; and beside it how many there would be of each other status and kind."""
    wide = chosen.without("status", "kind")
    around = await desk.runs.totals(wide.search(now))
    these = around if wide == chosen else await desk.runs.totals(chosen.search(now))
    names = await starters(desk) if chosen.by else {}
    kinds = sorted(around.kinds.items(), key=lambda each: -each[1])[:_KINDS]
    return {
        "count": sum(these.statuses.values()),
        "ended": {status: these.statuses.get(status, 0) for status in (RunStatus.SUCCEEDED, RunStatus.FAILED)},
        "usage": these.usage,
        "statuses": [(status, around.statuses.get(status, 0), _toggled(chosen, status=status)) for status in RunStatus],
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


def _toggled(chosen: Filters, **change: str) -> str:
    """The list with that filter; without it where it is set already."""
    ((name, value),) = change.items()
    return link(_AT, chosen.query, **{name: None if getattr(chosen, name) == value else value})
