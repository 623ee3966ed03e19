"""The verbs for schedules: list, show, put, pause, resume, remove, trigger."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import options, reading
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import Runtime

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


def list_schedules(
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """List schedules by name."""

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        return [await _object(rt, each.name) for each in await rt.schedules.list()]

    _show(ask(store, tenant, work), as_json)


def show_schedule(
    name: Name,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Show one schedule with its input and what it started last."""
    from callboard.apps.cli import show

    found = ask(store, tenant, lambda rt: _object(rt, name))
    if as_json:
        show.objects([found])
        return
    times = {each: show.when(found[each]) for each in ("next_at", "last_at")}
    show.pairs(found | times | {"input": show.brief(found["input"], 2_000)})


def put_schedule(
    name: Name,
    flow: Annotated[str, typer.Option("--flow", metavar="F", help="The flow or agent that is started.")],
    cron: Annotated[
        str, typer.Option("--cron", metavar="C", help="Minute, hour, day, month, weekday; seconds may go in front.")
    ],
    zone: Annotated[str, typer.Option("--zone", metavar="Z", help="The time zone, as Europe/Berlin.")] = "UTC",
    value: Annotated[str, typer.Option("--input", metavar="JSON", help="The input of each run.")] = "null",
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="O", help="While the run before goes on: skip, queue, replace, allow.")
    ] = "skip",
    catch_up: Annotated[
        str, typer.Option("--catch-up", metavar="C", help="Missed starts to make up for: none, last, all.")
    ] = "last",
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Create a schedule, or change the one of that name."""
    decoded = reading.json_value(value, "--input")

    async def do(rt: "Runtime") -> None:
        await at(rt).schedules.put(name, flow, cron, input=decoded, zone=zone, overlap=overlap, catch_up=catch_up)

    _change(name, do, store, tenant, as_json)


def pause_schedule(
    name: Name,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Start nothing until it is resumed."""
    _change(name, lambda rt: at(rt).schedules.pause(name), store, tenant, as_json)


def resume_schedule(
    name: Name,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Go on; what was missed is made up for as the schedule says."""
    _change(name, lambda rt: at(rt).schedules.resume(name), store, tenant, as_json)


def remove_schedule(
    name: Name,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Remove a schedule; the runs that it started go on."""

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        found = await _object(rt, name)
        await at(rt).schedules.remove(name)
        return [found | {"state": "removed"}]

    _show(ask(store, tenant, work), as_json)


def trigger_schedule(
    name: Name,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Make it due now, beside its times: a worker that has its flow starts a run."""
    _change(name, lambda rt: at(rt).schedules.trigger(name), store, tenant, as_json)


def _change(
    name: str, do: "Callable[[Runtime], Awaitable[object]]", store: str | None, tenant: str | None, as_json: bool
) -> None:
    """Does it, and shows the schedule as it is then."""

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        await do(rt)
        return [await _object(rt, name)]

    _show(ask(store, tenant, work), as_json)


async def _object(rt: "Runtime", name: str) -> dict[str, Any]:
    from callboard.domain.codec import decode

    schedule = await rt.schedules.get(name)
    return {
        "name": schedule.name,
        "tenant": schedule.tenant,
        "flow": schedule.flow,
        "cron": schedule.cron,
        "zone": schedule.zone,
        "input": decode(schedule.input),
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "state": await rt.schedules.standing(schedule),
        "next_at": schedule.next_at,
        "last_at": schedule.last_at,
        "last_run": schedule.last_run,
    }


def _show(found: list[dict[str, Any]], as_json: bool) -> None:
    from callboard.apps.cli import show

    if as_json:
        show.objects(found)
        return
    show.table(
        ("name", "flow", "cron", "zone", "state", "next due", "last due", "last run"),
        [
            (each["name"], each["flow"], each["cron"], each["zone"], each["state"],
             "" if each["state"] in ("paused", "removed") else show.when(each["next_at"]),
             show.when(each["last_at"]), each["last_run"])
            for each in found
        ],
    )  # fmt: skip
