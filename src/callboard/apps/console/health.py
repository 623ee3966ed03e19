"""How everything is doing: upstreams, queue, workers, dead letters, pauses, schedules; and the levers for it."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from callboard.apps.console import forms
from callboard.apps.console.attention import fleet_of, state_of
from callboard.apps.console.rendering import HOME, page, redirect
from callboard.domain.errors import Conflict, Denied, InputInvalid, NotFound
from callboard.domain.run import RunStatus
from callboard.runtime import Action, Desk, Runtime, Scope, Search

if TYPE_CHECKING:
    from fastapi import APIRouter

PLACE = f"{HOME}/health"
_SHOWN = 20  # tenants of the queue, dead letters
_OPEN = (RunStatus.READY, RunStatus.RUNNING, RunStatus.WAITING)  # found without looking at those that have ended


def policy_in_words(policy: dict[str, Any]) -> list[str]:
    """An upstream's policy, each part as people say it."""
    parts = [f"answers in {policy['total']:g} s, begins in {policy['first']:g} s"]
    retry = policy.get("retry") or {}
    if retry.get("attempts", 1) > 1:
        parts.append(f"tried {retry['attempts']} times; retries are {policy['retry_share']:.0%} of calls at most")
    for what in ("requests", "tokens"):
        if (rate := policy[what]) is not None:
            parts.append(f"{rate['limit']:g} {what} in {rate['period']:g} s")
    if policy["concurrency"] is not None:
        parts.append(f"{policy['concurrency']} calls at once")
    if (rules := policy["breaker"]) is not None:
        parts.append(
            f"left alone for {rules['open_for']:g} s after {rules['failures']} failures in {rules['window']:g} s"
        )
    if policy["hedge"] is not None:
        parts.append(f"a slow read is made twice after {policy['hedge']:g} s")
    return parts


def fates(users: Iterable[Any]) -> list[tuple[str, str, list[str], str]]:
    """Users of an upstream by what happens to them when it fails: what they are (`tool`, `model`), how they use it,
    their names, and their fate in words."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for user in users:
        found.setdefault((user.what, user.effect or user.by, user.fails), []).append(user.name)
    return [(what, how, names, fails) for (what, how, fails), names in found.items()]


def routes(rt: Runtime) -> "APIRouter":
    """`/console/health` and its levers."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import At, form

    made = APIRouter()

    @made.get(PLACE)
    async def shown(request: Request, desk: At) -> Response:
        return page(request, desk, "health.html", **await _values(rt, desk))

    async def act(request: Request, done: str, deed: Callable[[], Awaitable[Any]]) -> Response:
        try:
            await deed()
        except (Conflict, NotFound) as refused:
            return redirect(request, PLACE, str(refused), bad=True)
        return redirect(request, PLACE, done)

    @made.post(f"{PLACE}/control")
    async def control(request: Request, desk: At) -> Response:
        fields = await form(request)
        scope, name = _scope(fields), forms.text(fields, "name", most=200)
        what = forms.text(fields, "what", most=20)
        match what:
            case "pause":
                return await act(request, f"{scope} {name} is paused.", lambda: desk.fleet.pause(scope, name))
            case "resume":
                return await act(request, f"{scope} {name} goes on.", lambda: desk.fleet.resume(scope, name))
            case "limit":
                running = _running(fields)
                said = "has no limit any more" if running is None else f"runs {running} at a time"
                return await act(request, f"{scope} {name} {said}.", lambda: desk.fleet.limit(scope, name, running))
            case _:
                raise InputInvalid(f"what={what!r} is unknown", remedy="use pause, resume or limit")

    @made.post(f"{PLACE}/reset")
    async def reset(request: Request, desk: At) -> Response:
        name = forms.text(await form(request), "name", most=200)
        return await act(request, f"{name} is called again.", lambda: desk.fleet.reset(name))

    @made.post(f"{PLACE}/requeue")
    async def requeue(request: Request, desk: At) -> Response:
        fields = await form(request)
        run_id, reason = forms.text(fields, "run", most=100), forms.text(fields, "reason", needed=False, most=1_000)
        return await act(request, "The run goes on.", lambda: desk.runs.requeue(run_id, reason))

    @made.post(f"{PLACE}/schedule")
    async def schedule(request: Request, desk: At) -> Response:
        fields = await form(request)
        name, what = forms.text(fields, "name", most=200), forms.text(fields, "what", most=20)
        deeds: dict[str, tuple[str, Callable[[str], Awaitable[Any]]]] = {
            "pause": ("starts nothing until it is resumed", desk.schedules.pause),
            "resume": ("goes on", desk.schedules.resume),
            "trigger": ("is due now", desk.schedules.trigger),
        }
        if what not in deeds:
            raise InputInvalid(f"what={what!r} is unknown", remedy=f"use {', '.join(deeds)}")
        said, deed = deeds[what]
        return await act(request, f"Schedule {name} {said}.", lambda: deed(name))

    return made


async def _values(rt: Runtime, desk: Desk) -> dict[str, Any]:
    """All that the page shows."""
    now, lease = rt.services.clock.now(), rt.settings.engine.lease
    workers = await desk.fleet.workers()
    backlog = None
    with contextlib.suppress(Denied):  # of some flows only
        backlog = await desk.fleet.backlog()
    flows: list[Any] = []
    dead: list[Any] = []
    if desk.may(Action.RUNS_READ):
        dead = await desk.runs.search(Search(statuses=(RunStatus.DEAD,)), limit=_SHOWN)
        flows = await _by_flow(rt, desk)
    schedules = await desk.schedules.list()
    return {
        "upstreams": await desk.fleet.upstreams(),
        "policy": policy_in_words,
        "fates": fates,
        "workers": [(each, state_of(each, lease)) for each in workers],
        "capacity": rt.settings.engine.concurrency,
        "fleet": None if backlog is None else fleet_of(workers, backlog, lease, now),
        "backlog": backlog,
        "tenants": [] if backlog is None else sorted(backlog.tenants.items(), key=lambda t: (-t[1], t[0]))[:_SHOWN],
        "flows": flows,
        "dead": dead,
        "requeues": {run.id: desk.may(Action.RUNS_REPAIR, run.flow) for run in dead},
        "controls": await desk.fleet.controls(),
        "levers": (levers := _levers(desk)),
        "lever_options": [(each, each) for each in levers],
        "may_reset": desk.fleet.may_control(),
        "schedules": [(each, await desk.schedules.standing(each)) for each in schedules],
    }


async def _by_flow(rt: Runtime, desk: Desk) -> list[tuple[str, dict[str, int]]]:
    """How many runs of each flow wait for a worker, are executed, or wait for something else; flows without any left
    out."""
    found = []
    for name in sorted({flow.name for flow in rt.services.flows.values()}):
        if desk.may(Action.RUNS_READ, name):
            statuses = (await desk.runs.totals(Search(statuses=_OPEN, flows=(name,)))).statuses
            if any(statuses.values()):
                found.append((name, {str(status): number for status, number in statuses.items()}))
    return found


def _levers(desk: Desk) -> list[str]:
    """What whoever looks may hold back."""
    scopes = []
    if desk.fleet.may_control(Scope.TENANT, desk.tenant):
        scopes.append(str(Scope.TENANT))
    if desk.fleet.may_control():
        scopes += [str(Scope.FLOW), str(Scope.TOOL)]
    return scopes


def _scope(fields: dict[str, str]) -> Scope:
    try:
        return Scope(fields.get("scope", ""))
    except ValueError:
        raise InputInvalid(
            f"scope={fields.get('scope', '')[:40]!r} is unknown", remedy=f"use {', '.join(Scope)}"
        ) from None


def _running(fields: dict[str, str]) -> int | None:
    text = forms.text(fields, "running", needed=False, most=9)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InputInvalid(f"running={text!r} is no whole number", remedy="leave it empty for any number")
    return int(text)
