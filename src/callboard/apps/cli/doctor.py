"""The verb `doctor`: what state a store and its workers are in, and what to do about it."""

import os
import platform
import shutil
from typing import TYPE_CHECKING, Any

import typer

from callboard.apps.cli import failure, options
from callboard.apps.cli.desk import ask

if TYPE_CHECKING:
    from callboard.runtime import Runtime

_LOW_DISK = 1_000_000_000
_SHOWN = 20  # dead letters

Fact = dict[str, Any]


def doctor(store: options.Store = None, tenant: options.Tenant = None, as_json: options.AsJson = False) -> None:
    """Check the store, its workers and its runs; exits with 1 if there is something to do."""
    from callboard.apps.cli import show

    found = ask(store, tenant, _examine)
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
        *await _runs(rt),
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


def _fact(name: str, value: object, remedy: str = "") -> Fact:
    return {"name": name, "value": value, "remedy": remedy or None}
