"""What runs cost over time, by whom, and how full the budgets are."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from callboard.apps.console.rendering import HOME, page, part_wanted
from callboard.apps.console.spending import GROUPS, daily, days, groups, over_time, spent
from callboard.domain.errors import Denied, InputInvalid
from callboard.runtime import Action, Desk, Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter

PLACE = f"{HOME}/costs"
RANGES = {"24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0, "90d": 90 * 86_400.0}
_JOURNALS = ("agent", "model")
_READ = 200  # journals: who asked which model stands nowhere else
_BUDGETS = 50
_WARN = 0.8  # where a budget has no share of its own
_MICROS = 1_000_000


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one budget, as a bar. `tone` is `warn` from its warning on, `bad` when nothing is left."""

    budget: str
    of: str
    measure: str
    share: float | None
    used: float
    held: float
    limit: float
    tone: str
    by: str


def measured(standings: list[dict[str, Any]]) -> list[Measured]:
    """The bars of budgets, the fullest first."""
    found = []
    for each in standings:
        for measure, row in each["measures"].items():
            share = row["share"]
            taken = 0.0 if not row["limit"] else (row["used"] + row["held"]) / row["limit"]
            warn = min(each["warn"], default=_WARN)
            tone = "bad" if row["left"] <= 0 else "warn" if share is not None and taken >= warn else ""
            found.append(
                Measured(
                    budget=each["budget"],
                    of=each["account"],
                    measure=measure,
                    share=share,
                    used=row["used"],
                    held=row["held"],
                    limit=row["limit"],
                    tone=tone,
                    by=each["by"],
                )
            )
    return sorted(found, key=lambda each: -(each.share or 0.0))


def figure(measure: str, value: float) -> str:
    """A budget's figure in its unit."""
    match measure:
        case "usd":
            return f"${value:,.2f}"
        case "seconds":
            return f"{value:,.0f} s"
        case _:
            return f"{value:,.0f}"


async def budgets(desk: Desk) -> list[Measured] | None:
    """How full the budgets are; None for who may not see them."""
    if not desk.may(Action.COSTS_READ):
        return None
    try:
        return measured(await desk.budgets.standings(_BUDGETS))
    except Denied:  # of some flows only
        return None


def routes(rt: Runtime) -> "APIRouter":
    """`/console/costs`."""
    from fastapi import APIRouter, Query, Request, Response

    from callboard.apps.entrance import At

    made = APIRouter()

    @made.get(PLACE)
    async def shown(request: Request, desk: At, range: str = Query("30d"), by: str = Query("flow")) -> Response:
        if range not in RANGES:
            raise InputInvalid(f"range={range[:20]!r} is unknown", remedy=f"use one of {', '.join(RANGES)}")
        if by not in (*GROUPS, *_JOURNALS):
            known = ", ".join((*GROUPS, *_JOURNALS))
            raise InputInvalid(f"by={by[:20]!r} is unknown", remedy=f"use one of {known}")
        now = rt.services.clock.now()
        since = now - RANGES[range]
        values: dict[str, Any] = {
            "ranges": list(RANGES),
            "range": range,
            "by": by,
            "bys": [*GROUPS, *_JOURNALS],
            "from_journals": by in _JOURNALS,
            "read": _READ,
            "journals": None,
            "more": False,
            "figure": figure,
        }
        if part_wanted(request) == "journals":
            values |= await _journals(desk, since, by)
            return page(request, desk, "costs.html", **values)
        costs, dates = await desk.costs.rows(since), days(since, now)
        group = "flow" if by in _JOURNALS else by
        return page(
            request,
            desk,
            "costs.html",
            **values,
            whole=spent(costs, "all", roots=True),
            rows=groups(costs, group),
            daily=list(reversed(daily(costs, dates))),
            times=[datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in dates],
            series=[{"name": line.name, "values": line.values} for line in over_time(costs, group, dates)],
            budgets=await budgets(desk),
        )

    return made


async def _journals(desk: Desk, since: float, by: str) -> dict[str, Any]:
    if by not in _JOURNALS:
        raise InputInvalid(f"by={by!r} is not read from journals", remedy=f"use one of {', '.join(_JOURNALS)}")
    found, more = await desk.costs.by_journals(since, by, _READ)
    money = ("cost_usd", "saved_by_provider_usd", "saved_by_answers_usd", "wasted_usd")
    rows = [
        {"name": each[by]}
        | {name: each[name] for name in ("calls", "runs", "tokens", "cached_share")}
        | {name.removesuffix("_usd"): round(each[name] * _MICROS) for name in money}
        for each in found
    ]
    return {"journals": sorted(rows, key=lambda row: -row["cost"]), "more": more}
