"""What runs cost over time, by whom, and how full the budgets are."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from callboard.apps.console.rendering import HOME, page
from callboard.apps.console.spending import daily, days, over_time
from callboard.domain.errors import Denied, InputInvalid
from callboard.runtime import BILLED_BY, UNBILLED, Action, Desk, Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter

PLACE = f"{HOME}/costs"
RANGES = {"24h": 86_400.0, "7d": 7 * 86_400.0, "30d": 30 * 86_400.0, "90d": 90 * 86_400.0}
GROUPS = ("flow", "version", "status", *BILLED_BY)
_TENANT = "tenant"  # for who may see the costs of several
_BUDGETS = 50
_WARN = 0.8  # where a budget has no share of its own


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
        if by not in (*GROUPS, _TENANT):
            known = ", ".join((*GROUPS, _TENANT))
            raise InputInvalid(f"by={by[:20]!r} is unknown", remedy=f"use one of {known}")
        now = rt.services.clock.now()
        since = now - RANGES[range]
        tenants = await desk.costs.tenants()
        sums, dates = await desk.costs.sums(since, by, tenants=tenants if by == _TENANT else ()), days(since, now)
        return page(
            request,
            desk,
            "costs.html",
            ranges=list(RANGES),
            range=range,
            by=by,
            bys=[*GROUPS, _TENANT] if len(tenants) > 1 or by == _TENANT else GROUPS,
            tenants=len(tenants),
            billed=by in BILLED_BY,
            unbilled=UNBILLED,
            figure=figure,
            whole=sums.whole,
            rows=sums.rows,
            daily=list(reversed(daily(sums.days, dates))),
            times=[datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in dates],
            series=[{"name": line.name, "values": line.values} for line in over_time(sums.rows, dates)],
            budgets=await budgets(desk),
        )

    return made
