"""The first page: what needs somebody now, and how the last days went."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from callboard.apps.console import attention
from callboard.apps.console.costs import budgets
from callboard.apps.console.inbox import Waiting, by_deadline, summary, waiting
from callboard.apps.console.rendering import HOME, link, page
from callboard.apps.console.sparkline import sparkline
from callboard.apps.console.spending import daily, days
from callboard.domain.error_classes import class_of
from callboard.domain.errors import Denied
from callboard.domain.run import RunStatus
from callboard.runtime import Action, ApprovalStatus, Desk, Runtime, Search

if TYPE_CHECKING:
    from fastapi import APIRouter

_DAY = 86_400.0
_DAYS = 14
_FAILED = (RunStatus.FAILED, RunStatus.DEAD)
_NEWEST = 6  # failed runs that are shown
_QUESTIONS = 50


def routes(rt: Runtime) -> "APIRouter":
    """`/console`."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.console.rendering import redirect
    from callboard.apps.entrance import At

    made = APIRouter()

    @made.get(f"{HOME}/")
    async def slash(request: Request) -> Response:
        return redirect(request, HOME)

    @made.get(HOME)
    async def home(request: Request, desk: At) -> Response:
        now = rt.services.clock.now()
        values: dict[str, Any] = {
            "failed": [],
            "kinds": [],
            "classes": [],
            "rows": [],
            "sparks": [],
            "counts": {},
            "fleet": None,
        }
        notices: list[attention.Notice] = []
        if desk.may(Action.RUNS_READ):
            values |= await _runs(desk, now)
            href = link(f"{HOME}/runs", {}, status="failed", span="24h")
            notices += attention.of_failures(values["classes"], href)
            stuck = values["counts"]
            notices += attention.of_stuck(stuck.get(RunStatus.BLOCKED, 0), stuck.get(RunStatus.DEAD, 0))
        if desk.may(Action.APPROVALS_READ):
            values["rows"] = await _questions(desk, now)
            notices += attention.of_approvals(values["rows"])
        if desk.may(Action.COSTS_READ):
            values["sparks"] = await _sparks(desk, now)
            notices += attention.of_budgets(await budgets(desk) or ())
        if desk.may(Action.FLEET_READ):
            values["fleet"] = await _fleet(rt, desk, now)
            if values["fleet"] is not None:
                notices += attention.of_fleet(values["fleet"])
            notices += attention.of_upstreams(await desk.fleet.upstreams())
            notices += attention.of_controls(await desk.fleet.controls())
        return page(request, desk, "home.html", notices=attention.worst_first(notices), summary=summary, **values)

    return made


async def _runs(desk: Desk, now: float) -> dict[str, Any]:
    search = Search(statuses=_FAILED, since=now - _DAY)
    failed = await desk.runs.search(search, limit=_NEWEST)
    kinds = (await desk.runs.totals(search)).kinds
    classes: dict[str, int] = {}
    for kind, number in kinds.items():
        name = str(class_of(kind))
        classes[name] = classes.get(name, 0) + number
    stuck = await desk.runs.totals(Search(statuses=(RunStatus.BLOCKED, RunStatus.DEAD)))
    return {
        "failed": failed,
        "kinds": _most_first(kinds),
        "classes": _most_first(classes),
        "counts": stuck.statuses,
    }


def _most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


async def _questions(desk: Desk, now: float) -> list[Waiting]:
    found = by_deadline(await desk.approvals.find(status=ApprovalStatus.OPEN, limit=_QUESTIONS))
    flows = await desk.approvals.flows(found)
    return [
        waiting(each, flows[each.run_id], now, desk.may(Action.APPROVALS_DECIDE, flows[each.run_id]))
        for each in found
        if each.run_id in flows
    ]


async def _sparks(desk: Desk, now: float) -> Sequence[dict[str, Any]]:
    since = now - (_DAYS - 1) * _DAY
    rows = daily(await desk.costs.rows(since), days(since, now))
    figures = {
        "Runs": ([row.runs for row in rows], "count", ""),
        "Failures": ([row.failed for row in rows], "count", "bad"),
        "Cost": ([row.usage.cost for row in rows], "money", ""),
    }
    return [
        {
            "name": name,
            "today": values[-1],
            "whole": sum(values),
            "form": form,
            "svg": sparkline(values, f"{name} on each of the last {len(values)} days", tone),
        }
        for name, (values, form, tone) in figures.items()
    ]


async def _fleet(rt: Runtime, desk: Desk, now: float) -> attention.Fleet | None:
    try:
        backlog = await desk.fleet.backlog()
    except Denied:  # of some flows only
        return None
    return attention.fleet_of(await desk.fleet.workers(), backlog, rt.settings.engine.lease, now)
