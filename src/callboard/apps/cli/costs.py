"""The verb `costs`: what runs cost, and what each that succeeded cost with all that did not."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import options, reading
from callboard.apps.cli.desk import ask

if TYPE_CHECKING:
    from callboard.runtime import Runtime, Sums

_BY = "flow|version|status|agent|model|day|tenant"


def costs(
    by: Annotated[str, typer.Option("--by", metavar=_BY, help="What to sum by. Default: flow.")] = "flow",
    since: Annotated[
        str, typer.Option("--since", metavar="AGE", help="Runs that ended since, or go on: 12h, 30d.")
    ] = "30d",
    store: options.Store = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option(
            "--tenant",
            metavar="T",
            help="Whose runs; repeatable. Default: $CALLBOARD_TENANT, else default; by tenant, all.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what runs cost: in all, and for each that succeeded, with what failed and what caches saved."""
    from callboard.apps.cli import show
    from callboard.runtime import BILLED_BY, UNBILLED

    age = reading.duration(since)

    async def work(rt: "Runtime") -> "Sums":
        now = rt.services.clock.now()
        tenants = tenant or (await rt.costs.tenants() if by == "tenant" else [rt.settings.tenant])
        return await rt.costs.sums(tenants, now - age, now, by)

    sums = ask(store, None, work, operator=True)
    rows = sums.table()
    if as_json:
        show.objects(rows)
        return
    billed = by in BILLED_BY
    saved = ("saved by provider", "saved by answers kept") if billed else ()
    calls = ("calls",) if billed else ()
    show.table(
        (by, *calls, "runs", "succeeded", "cost", "per success", "tokens", "cached", *saved, "wasted"),
        [_row(show, by, each, billed, each[by] == UNBILLED and billed) for each in rows],
    )
    if billed and any(row[by] == UNBILLED for row in rows):
        print("not attributed: spent for no agent, or before this store kept whom it was for")


def _row(show: Any, by: str, row: dict[str, Any], billed: bool, rest: bool) -> tuple[Any, ...]:
    counts = [row["calls"]] if billed else []
    counts += [row["runs"], row["succeeded"]]
    saved = (row["saved_by_provider_usd"], row["saved_by_answers_usd"]) if billed else ()
    return (
        row[by],
        *([""] * len(counts) if rest else counts),
        show.money(row["cost_usd"]),
        show.money(row["cost_per_success_usd"]),
        f"{row['tokens']:,}",
        _percent(row["cached_share"]),
        *map(show.money, saved),
        show.money(row["wasted_usd"]),
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"
