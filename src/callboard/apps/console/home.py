"""The first page: what needs somebody now, and how the last days went."""

import asyncio
from collections.abc import Coroutine, Sequence
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
_AMONG = 10_000  # failed runs that are counted
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
            "rows": [],
            "sparks": [],
            "fleet": None,
        }
        notices: list[attention.Notice] = []
        parts: list[Coroutine[Any, Any, tuple[dict[str, Any], list[attention.Notice]]]] = []
        if desk.may(Action.RUNS_READ):
            parts.append(_runs(desk, now))
        if desk.may(Action.APPROVALS_READ):
            parts.append(_questions(desk, now))
        if desk.may(Action.COSTS_READ):
            parts.append(_money(desk, now))
        if desk.may(Action.FLEET_READ):
            parts.append(_fleet(rt, desk, now))
        for found, told in await asyncio.gather(*parts):
            values |= found
            notices += told
        return page(request, desk, "home.html", notices=attention.worst_first(notices), summary=summary, **values)

    return made


async def _runs(desk: Desk, now: float) -> tuple[dict[str, Any], list[attention.Notice]]:
    search = Search(statuses=_FAILED, since=now - _DAY, among=_AMONG)
    failed, sums, stuck = await asyncio.gather(
        desk.runs.search(search, limit=_NEWEST),
        desk.runs.totals(search),
        desk.runs.totals(Search(statuses=(RunStatus.BLOCKED, RunStatus.DEAD), among=_AMONG)),
    )
    classes: dict[str, int] = {}
    for kind, number in sums.kinds.items():
        name = str(class_of(kind))
        classes[name] = classes.get(name, 0) + number
    href = link(f"{HOME}/runs", {}, status="failed", span="24h")
    notices = attention.of_failures(_most_first(classes), href, whole=sums.whole)
    blocked, dead = (stuck.statuses.get(each, 0) for each in (RunStatus.BLOCKED, RunStatus.DEAD))
    return {"failed": failed, "kinds": _most_first(sums.kinds)}, notices + attention.of_stuck(blocked, dead)


def _most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


async def _questions(desk: Desk, now: float) -> tuple[dict[str, Any], list[attention.Notice]]:
    found = by_deadline(await desk.approvals.find(status=ApprovalStatus.OPEN, limit=_QUESTIONS + 1))
    flows = await desk.approvals.flows(found[:_QUESTIONS])
    rows: list[Waiting] = [
        waiting(each, flows[each.run_id], now, desk.may(Action.APPROVALS_DECIDE, flows[each.run_id]))
        for each in found
        if each.run_id in flows
    ]
    return {"rows": rows}, attention.of_approvals(rows, more=len(found) > _QUESTIONS)


async def _money(desk: Desk, now: float) -> tuple[dict[str, Any], list[attention.Notice]]:
    sparks, standings = await asyncio.gather(_sparks(desk, now), budgets(desk))
    return {"sparks": sparks}, attention.of_budgets(standings or ())


async def _sparks(desk: Desk, now: float) -> Sequence[dict[str, Any]]:
    since = now - (_DAYS - 1) * _DAY
    rows = daily((await desk.costs.sums(since, "day")).days, days(since, now))
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


async def _fleet(rt: Runtime, desk: Desk, now: float) -> tuple[dict[str, Any], list[attention.Notice]]:
    upstreams, controls, workers, backlog = await asyncio.gather(
        desk.fleet.upstreams(), desk.fleet.controls(), desk.fleet.workers(), _backlog(desk)
    )
    notices = attention.of_upstreams(upstreams) + attention.of_controls(controls)
    if backlog is None:
        return {}, notices
    fleet = attention.fleet_of(workers, backlog, rt.settings.engine.lease, now)
    return {"fleet": fleet}, attention.of_fleet(fleet) + notices


async def _backlog(desk: Desk) -> Any:
    try:
        return await desk.fleet.backlog()
    except Denied:  # of some flows only
        return None
