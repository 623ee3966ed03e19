"""The verbs that act on runs: fork, signal, cancel, purge. `requeue` has a file of its own."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import options, reading
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import Runtime

_GRACE = 3_600.0  # seconds for which a payload without a run is kept: an append in flight may be about to use it


def fork(
    run_id: options.RunId,
    seq: Annotated[int, typer.Option("--at", metavar="SEQ", help="The last event that both runs share.")],
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Start a run that shares this one's journal up to an event, and goes on by itself."""

    async def work(rt: "Runtime") -> dict[str, Any]:
        forked = await at(rt).runs.fork(run_id, seq)
        return {"id": forked.id, "status": forked.status, "fork_of": run_id}

    _show([ask(store, tenant, work)], as_json)


def signal(
    run_id: options.RunId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal that the flow waits for.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its value, as JSON.")] = "null",
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Send a signal to a run."""
    decoded = reading.json_value(value, "VALUE")

    async def work(rt: "Runtime") -> dict[str, Any]:
        status = await at(rt).runs.signal(run_id, name, decoded)
        return {"id": run_id, "status": status}

    _show([ask(store, tenant, work)], as_json)


def cancel(
    run_id: options.RunId,
    reason: options.Reason = "",
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Ask a run to end. It ends when a worker has told its flow."""

    async def work(rt: "Runtime") -> dict[str, Any]:
        return {"id": run_id, "status": await at(rt).runs.cancel(run_id, reason)}

    _show([ask(store, tenant, work)], as_json)


def purge(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="How long ago they ended: 90s, 12h, 30d.")
    ],
    status: Annotated[
        list[str] | None, typer.Option("--status", metavar="S", help="Only runs that ended so; repeatable.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Runs removed in one transaction.")] = 500,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Remove ended runs with their journals, in small batches. Runs that others need are kept."""
    from callboard.domain.errors import InputInvalid
    from callboard.domain.run import ENDED

    age = reading.duration(older_than)
    wanted = [reading.run_status(each) for each in status or ()] or sorted(ENDED)
    if alive := [each for each in wanted if not each.ended]:
        raise InputInvalid(
            f"runs that are {alive[0]} cannot be purged",
            why="they have not ended",
            remedy=f"use {', '.join(sorted(ENDED))}",
        )

    async def work(rt: "Runtime") -> dict[str, Any]:
        done = await at(rt).runs.purge(older_than=age, statuses=wanted, batch=batch, grace=_GRACE)
        return {name: getattr(done, name) for name in done.__struct_fields__}

    _show([ask(store, tenant, work, operator=True)], as_json)


def _show(done: list[dict[str, Any]], as_json: bool) -> None:
    from callboard.apps.cli import show

    if as_json:
        show.objects(done)
    elif done:
        show.table(tuple(done[0]), [tuple(each.values()) for each in done])
