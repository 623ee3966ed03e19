"""The verbs about hard limits on what models may cost: list, set, remove."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import options, person
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import Runtime

Scope = Annotated[str, typer.Argument(metavar="tenant|flow|agent|session|run", help="What it is about.")]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Which one; '*' for each, with a count of its own. Of runs: their flow.")
]
Per = Annotated[str, typer.Option("--per", metavar="day|month", help="Over which time, in UTC. Default: ever.")]
By = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who does it. Default: your user name.")]
_EVERY = "*"
Whose = Annotated[
    str | None,
    typer.Option("--tenant", metavar="T", help="Whose; '*' for every tenant's. Default: $CALLBOARD_TENANT."),
]


def list_budgets(
    app: Annotated[
        str | None, typer.Option("--app", metavar="MODULE[:APP]", help="An app: what it declares is listed as well.")
    ] = None,
    limit: options.Limit = 50,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """List budgets with what is used, held by calls under way, and left; the fullest first."""
    from callboard.apps.cli import load, show

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        return await rt.budgets.standings(rt.settings.tenant, limit)

    found = ask(store, tenant, work, operator=True, app=None if app is None else load.app(app))
    if as_json:
        show.objects(found)
        return
    show.table(
        ("budget", "of", "counts", "limit", "used", "held", "left", "%", "set by"),
        [
            (each["budget"], each["account"], measure, _figure(measure, row["limit"]), _figure(measure, row["used"]),
             _figure(measure, row["held"]), _figure(measure, row["left"]),
             "" if row["share"] is None else f"{100 * row['share']:.0f}", each["by"])
            for each in found
            for measure, row in each["measures"].items()
        ],
    )  # fmt: skip


def set_budget(
    scope: Scope,
    name: Name,
    per: Per = "ever",
    usd: Annotated[str | None, typer.Option("--usd", metavar="N", help="Dollars, as 12.50.")] = None,
    tokens: Annotated[int | None, typer.Option("--tokens", metavar="N", help="Input and output tokens.")] = None,
    calls: Annotated[int | None, typer.Option("--calls", metavar="N", help="Calls of models.")] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", metavar="N", help="Time that these calls take.")] = None,
    warn: Annotated[
        list[float] | None, typer.Option("--warn", metavar="SHARE", help="Warn there; repeatable. Default: 0.8.")
    ] = None,
    by: By = None,
    store: options.Store = None,
    tenant: Whose = None,
    as_json: options.AsJson = False,
) -> None:
    """Set a limit, in place of the one before it and of what an app declares for the same. In force in a second."""
    who = person.user(by)
    limits: dict[str, Any] = {"period": per, "usd": usd, "tokens": tokens, "calls": calls, "seconds": seconds}
    if warn:
        limits["warn"] = tuple(sorted(warn))

    async def work(rt: "Runtime") -> dict[str, Any]:
        return await at(rt, who).budgets.set(scope, name, everywhere=tenant == _EVERY, **limits)

    _show(ask(store, _desk_of(tenant), work, operator=True), as_json)


def remove_budget(
    scope: Scope,
    name: Name,
    per: Per = "ever",
    store: options.Store = None,
    tenant: Whose = None,
    as_json: options.AsJson = False,
) -> None:
    """Lift a limit that was set. What an app declares for the same is in force again."""

    async def work(rt: "Runtime") -> dict[str, Any]:
        return await at(rt).budgets.remove(scope, name, per, everywhere=tenant == _EVERY)

    _show(ask(store, _desk_of(tenant), work, operator=True), as_json)


def _desk_of(tenant: str | None) -> str | None:
    """Whose desk it is: what is set for every tenant is recorded with the default tenant's deeds."""
    return None if tenant == _EVERY else tenant


def _show(done: dict[str, Any], as_json: bool) -> None:
    from callboard.apps.cli import show

    if as_json:
        show.objects([done])
    else:
        show.pairs(done | ({"at": show.when(done["at"])} if "at" in done else {}))


def _figure(measure: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"${value:,.2f}" if measure == "usd" else f"{value:,.10g}"
