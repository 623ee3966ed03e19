"""The verb `doctor`: what state a store and its workers are in, and what to do about it."""

import os
import platform
import shutil
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import failure, options
from callboard.apps.cli.desk import ask

if TYPE_CHECKING:
    from callboard.runtime import Runtime

_LOW_DISK = 1_000_000_000
_SHOWN = 20  # dead letters
_NEAR = 0.8  # of a limit

Fact = dict[str, Any]


def doctor(
    target: Annotated[
        str | None, typer.Argument(metavar="[MODULE[:APP]]", help="An app: what it depends on is checked as well.")
    ] = None,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Check the store, its workers and its runs; exits with 1 if there is something to do."""
    from callboard.apps.cli import load, show

    app = None if target is None else load.app(target)
    found = ask(store, tenant, _examine, operator=True, app=app)
    if as_json:
        show.objects(found)
    else:
        show.table(("", "", "what to do"), [(fact["name"], fact["value"], fact["remedy"]) for fact in found])
    if any(fact["remedy"] for fact in found):
        raise typer.Exit(failure.NOT_ALL_SUCCEEDED)


async def _examine(rt: "Runtime") -> list[Fact]:
    facts = await rt.store.check()
    return [
        _fact("python", platform.python_version()),
        *_store(facts),
        *await _workers(rt),
        *await _queue(rt),
        *await _controls(rt),
        *await _runs(rt),
        *await _schedules(rt),
        *await _upstreams(rt),
    ]


def _store(facts: dict[str, str]) -> list[Fact]:
    broken = "" if facts.get("integrity", "ok") == "ok" else "stop all workers and restore the store from a backup"
    found = [_fact(name, value, broken if name == "integrity" else "") for name, value in facts.items()]
    folder = os.path.dirname(facts.get("store", ""))
    if folder and os.path.isdir(folder):
        free = shutil.disk_usage(folder).free
        found.append(_fact("disk free", free, "free space, or purge old runs" if free < _LOW_DISK else ""))
    return found


async def _workers(rt: "Runtime") -> list[Fact]:
    found = []
    for each in await rt.store.claims.workers():
        state = "alive" if each.alive else "gone"
        remedy = ""
        if not each.alive and each.running:
            remedy = "start a worker: it takes over the runs of this one"
        elif each.alive and each.beat_age > rt.settings.engine.lease:
            remedy = "it is stalled, and others take over its runs: look at what blocks its event loop"
        value = f"{state}, {each.running} runs, last beat {each.beat_age:.1f}s ago, process {each.pid} on {each.host}"
        detail = {"id": each.id, "alive": each.alive, "running": each.running, "beat_age": each.beat_age}
        found.append(_fact("worker", value, remedy) | detail)
    return found


async def _queue(rt: "Runtime") -> list[Fact]:
    """How near the queue, over all tenants, is to where starts are refused."""
    found, limits = await rt.store.claims.backlog(), rt.settings.engine
    longest = max(found.tenants.values(), default=0)
    near = found.ready > _NEAR * limits.max_ready or longest > _NEAR * limits.max_ready_tenant
    facts = [
        _fact("queue", found.ready, "starts are soon refused: add workers, or see callboard queue" if near else "")
    ]
    if found.oldest is not None:
        age = max(0.0, rt.services.clock.now() - found.oldest)
        late = limits.max_ready_age is not None and age > _NEAR * limits.max_ready_age
        facts.append(_fact("oldest ready run", f"ready for {age:.1f}s", "add workers" if late else "") | {"age": age})
    return facts


async def _controls(rt: "Runtime") -> list[Fact]:
    """What somebody holds back on purpose: shown, because it is easily forgotten, but nothing to mend."""
    found = []
    for each in await rt.store.controls.all():
        what = ["paused"] if each.paused else []
        if each.running is not None:
            what.append(f"at most {each.running} runs at a time")
        found.append(_fact(f"{each.scope} {each.name}", f"{', '.join(what)}, by {each.by}"))
    return found


async def _runs(rt: "Runtime") -> list[Fact]:
    from callboard.domain.run import RunStatus

    tenant = rt.settings.tenant
    counts = await rt.store.runs.counts(tenant)
    alive = any(each.alive for each in await rt.store.claims.workers())
    remedies = {
        RunStatus.READY: "" if alive else "no worker is alive: callboard worker MODULE",
        RunStatus.BLOCKED: "deploy code that fits their journals, then: callboard runs requeue --status blocked",
        RunStatus.DEAD: "find out what kills their workers, then: callboard runs requeue --status dead",
    }
    found = [
        _fact(f"runs {status}", counts[status], remedies.get(status, "")) for status in RunStatus if counts.get(status)
    ]
    for run in await rt.store.runs.find(tenant, status=RunStatus.DEAD, limit=_SHOWN):
        why = run.error.message if run.error else ""
        found.append(_fact("dead letter", f"{run.id} {run.flow}", f"callboard runs events {run.id}") | {"error": why})
    return found


async def _schedules(rt: "Runtime") -> list[Fact]:
    """Schedules that are late; what waits for a run or is paused goes as somebody wanted it."""
    return [
        _fact(
            f"schedule {each.name}",
            f"was due {rt.services.clock.now() - each.next_at:.0f}s ago",
            f"start a worker that has the flow {each.flow}; if there is one, its log says what is wrong",
        )
        for each in await rt.schedules.list()
        if await rt.schedules.standing(each) == "late"
    ]


async def _upstreams(rt: "Runtime") -> list[Fact]:
    """What the app depends on: without a decision, or left alone because it keeps failing."""
    from callboard.apps.cli.upstreams import standing

    found = []
    for each in await rt.upstreams.all():
        remedy = each.open
        if each.state["phase"] not in (None, "closed"):
            remedy = f"it keeps failing: {each.state['why']}; when it is mended, callboard upstreams reset {each.name}"
        found.append(_fact(f"upstream {each.name}", standing(each), remedy))
    return found


def _fact(name: str, value: object, remedy: str = "") -> Fact:
    return {"name": name, "value": value, "remedy": remedy or None}
