"""The verbs by which an operator holds things back while everything runs: pause, resume, limit, controls."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import options, person, reading
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import Control, Runtime, Scope

Paused = Annotated[str, typer.Argument(metavar="tenant|flow|tool", help="What kind of thing.")]
Limited = Annotated[str, typer.Argument(metavar="tenant|flow", help="What kind of thing.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name; of a flow, without a version.")]
By = Annotated[str | None, typer.Option("--by", metavar="WHO", help="Who does it. Default: your user name.")]


def pause(
    scope: Paused, name: Name, by: By = None, store: options.Store = None, as_json: options.AsJson = False
) -> None:
    """Begin nothing more of a tenant, a flow or a tool. What is running goes on; calls of a tool wait."""
    _set(scope, name, lambda fleet, kind: fleet.pause(kind, name), by, store, as_json)


def resume(
    scope: Paused, name: Name, by: By = None, store: options.Store = None, as_json: options.AsJson = False
) -> None:
    """Lift a pause."""
    _set(scope, name, lambda fleet, kind: fleet.resume(kind, name), by, store, as_json)


def limit(
    scope: Limited,
    name: Name,
    running: Annotated[
        int | None, typer.Argument(metavar="[N]", min=1, help="How many of its runs are executed at a time.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Lift the limit.")] = False,
    by: By = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Execute at most so many runs of a tenant or a flow at a time, over all workers; runs that wait do not count."""
    from callboard.domain.errors import InputInvalid
    from callboard.runtime import Scope

    if (running is None) is not none:
        raise InputInvalid("limit was given no number, or one and --none", remedy="name a number, or --none")
    if reading.scope(scope) is Scope.TOOL:
        raise InputInvalid("a tool has no number of runs", remedy="limit its flow, or pause the tool")
    _set(scope, name, lambda fleet, kind: fleet.limit(kind, name, running), by, store, as_json)


def controls(store: options.Store = None, as_json: options.AsJson = False) -> None:
    """List what is paused or limited."""

    async def work(rt: "Runtime") -> "list[Control]":
        return await rt.store.controls.all()

    _show(ask(store, None, work, operator=True), as_json)


def _set(
    scope: str,
    name: str,
    do: "Callable[[Any, Scope], Awaitable[Control]]",
    by: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    from callboard.domain.errors import InputInvalid

    kind, who = reading.scope(scope), person.user(by)
    if not name:
        raise InputInvalid("the name is empty", remedy=f"name the {kind}")

    async def work(rt: "Runtime") -> "Control":
        return await do(at(rt, who).fleet, kind)

    _show([ask(store, None, work, operator=True)], as_json)


def _show(found: "list[Control]", as_json: bool) -> None:
    from callboard.apps.cli import show

    if as_json:
        show.objects(found)
        return
    show.table(
        ("what", "name", "paused", "at a time", "by", "since"),
        [
            (each.scope, each.name, "paused" if each.paused else "", each.running, each.by, show.when(each.at))
            for each in found
        ],
    )
