"""The verb `costs`: what runs cost, and what each that succeeded cost with all that did not."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import options, reading
from callboard.apps.cli.desk import ask

if TYPE_CHECKING:
    from callboard.runtime import Runtime

_BY_ROWS, _BY_JOURNALS = ("flow", "day", "tenant"), ("model", "agent")
_READ = 1_000  # journals


def costs(
    by: Annotated[
        str, typer.Option("--by", metavar="flow|day|tenant|model|agent", help="What to sum by. Default: flow.")
    ] = "flow",
    since: Annotated[str, typer.Option("--since", metavar="AGE", help="Runs that ended since: 12h, 30d.")] = "30d",
    runs: Annotated[
        int, typer.Option("--runs", metavar="N", min=1, help="By model or agent: journals read at most, newest first.")
    ] = _READ,
    store: options.Store = None,
    tenant: Annotated[
        list[str] | None,
        typer.Option("--tenant", metavar="T", help="Whose runs; repeatable. Default: $CALLBOARD_TENANT, else default."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what runs cost: in all, and for each that succeeded, with what failed and what caches saved."""
    from callboard.apps.cli import show
    from callboard.domain.errors import InputInvalid

    if by not in (*_BY_ROWS, *_BY_JOURNALS):
        known = ", ".join((*_BY_ROWS, *_BY_JOURNALS))
        raise InputInvalid(f"--by {by!r} is unknown", remedy=f"use one of {known}")
    age = reading.duration(since)

    async def work(rt: "Runtime") -> "tuple[list[dict[str, Any]], bool]":
        tenants, begun = tenant or [rt.settings.tenant], rt.services.clock.now() - age
        if by in _BY_ROWS:
            return await rt.costs.by_rows(tenants, begun, by), False
        return await rt.costs.by_journals(tenants, begun, by, runs)

    found, more = ask(store, None, work, operator=True)
    if as_json:
        show.objects(found)
        return
    if by in _BY_ROWS:
        show.table(
            (by, "runs", "succeeded", "cost", "per success", "tokens", "cached", "wasted"),
            [
                (each[by], each["runs"], each["succeeded"], show.money(each["cost_usd"]),
                 show.money(each["cost_per_success_usd"]), f"{each['tokens']:,}", _percent(each["cached_share"]),
                 show.money(each["wasted_usd"]))
                for each in found
            ],
        )  # fmt: skip
        return
    show.table(
        (by, "calls", "runs", "cost", "tokens", "cached", "saved by provider", "saved by answers kept", "wasted"),
        [
            (each[by], each["calls"], each["runs"], show.money(each["cost_usd"]), f"{each['tokens']:,}",
             _percent(each["cached_share"]), show.money(each["saved_by_provider_usd"]),
             show.money(each["saved_by_answers_usd"]), show.money(each["wasted_usd"]))
            for each in found
        ],
    )  # fmt: skip
    if more:
        print(f"of the newest {runs:,} runs; there are more: --runs")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"
