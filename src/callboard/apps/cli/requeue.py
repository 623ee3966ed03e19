"""The verb `runs requeue`: some runs by their ids, or all that fit."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import failure, options, reading
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.domain.run import Run
    from callboard.runtime import Runtime

_TOLD = 20  # refusals that are told one by one
_TOGETHER = 100  # runs requeued side by side, so that they share commits


def requeue(
    run_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of runs.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="S", help="All runs that are failed, dead or blocked.")
    ] = None,
    flow: Annotated[str | None, typer.Option("--flow", metavar="F", help="Of those, only runs of this flow.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="K=V", help="Of those, only with this label; repeatable.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Of those, the newest N. Default: all.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before requeueing all that fit.")] = False,
    reason: options.Reason = "",
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Let failed, dead or blocked runs go on after their last recorded effect."""
    from callboard.domain.errors import InputInvalid
    from callboard.domain.run import REQUEUEABLE

    wanted = reading.run_status(status) if status else None
    if bool(run_ids) == bool(wanted):
        raise InputInvalid("requeue was given no runs, or ids and --status", remedy="name ids, or one --status")
    if run_ids and (flow or label or limit):
        raise InputInvalid("--flow, --label and --limit choose among all runs", remedy="use them with --status")
    if wanted is not None and wanted not in REQUEUEABLE:
        raise InputInvalid(f"runs that are {wanted} cannot be requeued", remedy="use failed, dead or blocked")
    if run_ids:
        _by_id(run_ids, reason, store, tenant, as_json)
        return
    filters = {"status": wanted, "flow": flow, "labels": reading.labels(label or []) or None}
    _all_that_fit(filters, limit, yes, reason or f"callboard runs requeue --status {wanted}", store, tenant, as_json)


def _by_id(run_ids: Sequence[str], reason: str, store: str | None, tenant: str | None, as_json: bool) -> None:
    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        done = []
        for run_id in run_ids:
            refusal = await _one(rt, run_id, reason)
            done.append({"id": run_id, "status": None if refusal else "ready", "error": refusal})
        return done

    done = ask(store, tenant, work)
    _show(done, as_json)
    if any(each["error"] for each in done):
        raise typer.Exit(failure.NOT_ALL_SUCCEEDED)


def _all_that_fit(
    filters: dict[str, Any],
    limit: int | None,
    yes: bool,
    reason: str,
    store: str | None,
    tenant: str | None,
    as_json: bool,
) -> None:
    from callboard.apps.cli.paging import pages

    async def count(rt: "Runtime") -> int:
        if filters["flow"] is None and filters["labels"] is None:
            found = (await rt.store.runs.counts(rt.settings.tenant)).get(filters["status"], 0)
            return found if limit is None else min(found, limit)
        return sum([len(page) async for page in pages(rt, limit, **filters)])

    async def work(rt: "Runtime") -> dict[str, int]:
        done = {"found": 0, "requeued": 0, "refused": 0}
        async for page in pages(rt, limit, **filters):
            done["found"] += len(page)
            for start in range(0, len(page), _TOGETHER):
                refused = await _some(rt, page[start : start + _TOGETHER], reason)
                for refusal in refused[: max(0, _TOLD - done["refused"])]:
                    print(refusal, file=sys.stderr)
                done["refused"] += len(refused)
                done["requeued"] += len(page[start : start + _TOGETHER]) - len(refused)
        return done

    if not yes and (found := ask(store, tenant, count)):
        _confirm(found, filters["status"])
    done = ask(store, tenant, work)
    _show([done], as_json)
    if done["refused"]:
        raise typer.Exit(failure.NOT_ALL_SUCCEEDED)


def _confirm(found: int, status: str) -> None:
    from callboard.domain.errors import InputInvalid

    what = f"{found:,} {status} run{'s' if found > 1 else ''}"
    if not sys.stdin.isatty():
        raise InputInvalid(f"this would requeue {what}", why="nobody is here to be asked", remedy="add --yes")
    typer.confirm(f"Requeue {what}?", abort=True, err=True)


async def _some(rt: "Runtime", runs: "Sequence[Run]", reason: str) -> list[str]:
    """Requeues runs side by side; returns why some were refused."""
    refused = await at(rt).runs.requeue_all([run.id for run in runs], reason)
    return [str(refused[run.id]) for run in runs if run.id in refused]


async def _one(rt: "Runtime", run_id: str, reason: str) -> str | None:
    from callboard.domain.errors import Conflict, NotFound

    try:
        await at(rt).runs.requeue(run_id, reason)
    except (NotFound, Conflict) as error:
        return str(error)
    return None


def _show(done: list[dict[str, Any]], as_json: bool) -> None:
    from callboard.apps.cli import show

    if as_json:
        show.objects(done)
    elif done:
        show.table(tuple(done[0]), [tuple(each.values()) for each in done])
