"""The verbs for questions to people: list, approve, reject, edit."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import options, person, reading
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import ApprovalStatus, Runtime

ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="The approval's id.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides. Default: your user name.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What you say about it; the flow sees it.")]


def list_approvals(
    status: Annotated[str, typer.Option("--status", metavar="S", help="Questions in this state.")] = "open",
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help="Only questions of this run.")] = None,
    limit: options.Limit = 100,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """List questions, those with the nearest deadline first."""
    from callboard.apps.cli import show

    wanted = reading.approval_status(status)

    async def work(rt: "Runtime") -> list[Any]:
        return list(await rt.store.approvals.find(rt.settings.tenant, status=wanted, run_id=run, limit=limit))

    found = ask(store, tenant, work)
    if as_json:
        show.objects(found)
        return
    show.table(
        ("id", "run", "kind", "status", "opened", "deadline", "by", "proposal"),
        [
            (a.id, a.run_id, a.kind, a.status, show.when(a.opened_at), show.when(a.deadline), a.decided_by,
             show.brief(a.proposal))
            for a in found
        ],
    )  # fmt: skip


def approve(
    approval_id: ApprovalId,
    by: By = None,
    note: Note = "",
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Approve a proposal as it stands."""
    _decide(approval_id, "approved", None, by, note, store, tenant, as_json)


def reject(
    approval_id: ApprovalId,
    by: By = None,
    note: Note = "",
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Reject a proposal."""
    _decide(approval_id, "rejected", None, by, note, store, tenant, as_json)


def edit(
    approval_id: ApprovalId,
    value: Annotated[str, typer.Option("--value", metavar="JSON", help="The proposal as it should be.")],
    by: By = None,
    note: Note = "",
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Approve a proposal in another form."""
    decoded = reading.json_value(value, "--value")
    _decide(approval_id, "edited", decoded, by, note, store, tenant, as_json)


def _decide(
    approval_id: str,
    status: str,
    value: Any,
    by: str | None,
    note: str,
    store: str | None,
    tenant: str | None,
    as_json: bool,
) -> None:
    from callboard.apps.cli import show

    decision: ApprovalStatus = reading.approval_status(status)
    name = person.user(by)

    async def work(rt: "Runtime") -> dict[str, Any]:
        after = await at(rt, name).approvals.decide(approval_id, decision, value=value, note=note)
        run_id = (await rt.store.approvals.get(rt.settings.tenant, approval_id)).run_id
        return {"id": approval_id, "status": decision, "by": name, "run_id": run_id, "run_status": after}

    done = ask(store, tenant, work)
    if as_json:
        show.objects([done])
    else:
        show.table(tuple(done), [tuple(done.values())])
