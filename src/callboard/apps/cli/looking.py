"""The verbs that look at runs: list, show, events, dead."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import options, reading
from callboard.apps.cli.desk import ask

if TYPE_CHECKING:
    from callboard.domain.event import Event
    from callboard.domain.run import Run
    from callboard.runtime import Runtime

_PAGE = 1_000  # events


def list_runs(
    status: Annotated[str | None, typer.Option("--status", metavar="S", help="Only runs in this state.")] = None,
    flow: Annotated[str | None, typer.Option("--flow", metavar="F", help="Only runs of this flow.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="K=V", help="Only runs with this label; repeatable.")
    ] = None,
    limit: options.Limit = 50,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """List runs, newest first."""
    from callboard.apps.cli import show
    from callboard.apps.cli.facts import run_object
    from callboard.apps.cli.paging import pages
    from callboard.domain.usage import dollars

    filters: dict[str, Any] = {
        "status": reading.run_status(status) if status else None,
        "flow": flow,
        "labels": reading.labels(label or []) or None,
    }

    async def work(rt: "Runtime") -> "list[Run]":
        return [run async for page in pages(rt, limit, **filters) for run in page]

    runs = ask(store, tenant, work)
    if as_json:
        show.objects(map(run_object, runs))
        return
    show.table(
        ("id", "flow", "status", "key", "created", "cost", "error"),
        [
            (r.id, f"{r.flow}@{r.version}", r.status, r.key, show.when(r.created_at),
             f"${dollars(r.usage.cost)}", r.error and r.error.message)
            for r in runs
        ],
    )  # fmt: skip
    if spent := sum(r.usage.cost for r in runs):
        listed = {r.id for r in runs}
        done = sum(r.status == "succeeded" and r.parent not in listed for r in runs)
        each = f", ${dollars(-(-spent // done))} for each of {done} that succeeded" if done else ", and none succeeded"
        print(f"${dollars(spent)} in all{each}")


def show_run(
    run_id: options.RunId,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Show one run: its row, input, output, open questions, children, and which models it asked and why."""
    from callboard.apps.cli import show
    from callboard.apps.cli.decisions import in_words

    found = ask(store, tenant, lambda rt: _whole(rt, run_id))
    if as_json:
        show.objects([found])
        return
    times = {name: show.when(found[name]) for name in ("created_at", "updated_at", "finished_at", "wake_at")}
    values = {name: show.brief(found[name], 2_000) for name in ("input", "output") if found[name] is not None}
    error = found["error"]
    lines = {"error": f"{error['code']} ({error['kind']}): {error['message']}"} if error else {}
    asked = {"approvals": "  ".join(found["approvals"]), "children": "  ".join(found["children"])}
    spent = found["usage"]
    usage = f"{spent['input_tokens']} tokens in, {spent['output_tokens']} out, ${spent['cost_usd']}"
    labels = {"labels": " ".join(f"{name}={value}" for name, value in found["labels"].items())}
    models = {"models": in_words(found["models"])}
    show.pairs(found | times | values | lines | asked | labels | {"usage": usage} | models)


def list_events(
    run_id: options.RunId,
    after: Annotated[int, typer.Option("--after", metavar="SEQ", help="Only events after this one.")] = -1,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the run has ended.")] = False,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Print a run's journal."""
    from callboard.apps.cli import show
    from callboard.apps.cli.facts import event_object

    async def work(rt: "Runtime") -> None:
        events = rt.handle(run_id).events(after) if follow else _journal(rt, run_id, after)
        with show.stream(as_json) as put:
            async for event in events:
                put(event_object(event))

    ask(store, tenant, work)


def list_dead(
    limit: options.Limit = 50,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """List dead letters: runs that were given up because workers kept dying on them, newest first."""
    from callboard.apps.cli import show
    from callboard.apps.cli.facts import run_object
    from callboard.apps.cli.paging import pages
    from callboard.domain.run import RunStatus

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        now = rt.services.clock.now()
        return [
            run_object(run) | {"age": None if run.finished_at is None else max(0.0, now - run.finished_at)}
            for run in [run async for page in pages(rt, limit, status=RunStatus.DEAD) for run in page]
        ]

    found = ask(store, tenant, work)
    if as_json:
        show.objects(found)
        return
    show.table(
        ("id", "flow", "deaths", "dead since", "why"),
        [
            (r["id"], f"{r['flow']}@{r['version']}", r["deaths"], show.when(r["finished_at"]),
             r["error"] and r["error"]["message"])
            for r in found
        ],
    )  # fmt: skip


async def _whole(rt: "Runtime", run_id: str) -> dict[str, Any]:
    from callboard.apps.cli.decisions import decisions
    from callboard.apps.cli.facts import run_object
    from callboard.runtime import ApprovalStatus

    tenant, store = rt.settings.tenant, rt.store
    run = await store.runs.get(tenant, run_id)
    first = await store.journal.read(tenant, run_id, limit=1)
    outcome = (await store.runs.outcomes(tenant, [run_id])).get(run_id)
    asked = await store.approvals.find(tenant, status=ApprovalStatus.OPEN, run_id=run_id)
    children = await store.runs.find(tenant, parent=run_id)
    return run_object(run) | {
        "input": first[0].value(),
        "output": None if outcome is None else outcome.output,
        "approvals": [approval.id for approval in asked],
        "children": [child.id for child in children],
        "models": await decisions(rt, run_id),
    }


async def _journal(rt: "Runtime", run_id: str, after: int) -> "AsyncIterator[Event]":
    while events := await rt.store.journal.read(rt.settings.tenant, run_id, after=after, limit=_PAGE):
        for event in events:
            yield event
        after = events[-1].seq
