"""The verb `gateway`: serves an app over HTTP until it is told to stop."""

from typing import Annotated

import typer

from callboard.apps.cli import options
from callboard.apps.cli.desk import settings


def gateway(
    target: Annotated[str, typer.Argument(metavar="MODULE[:APP]", help="Where the app is.")],
    store: options.Store = None,
    dispatch: options.Dispatch = None,
    host: options.Host = None,
    port: options.Port = None,
    worker: Annotated[
        bool, typer.Option("--worker", help="Execute runs in this process, too, and deliver webhooks.")
    ] = False,
    operator: Annotated[
        bool,
        typer.Option(
            "--operator", help="On PostgreSQL, for all tenants at once: to pause and limit, if the store's log-in may."
        ),
    ] = False,
    console: Annotated[bool, typer.Option("--console/--no-console", help="Serve the pages, too.")] = True,
    concurrency: options.Concurrency = None,
    grace: Annotated[
        float,
        typer.Option("--grace", metavar="S", min=0.0, help="Seconds between no longer being ready and leaving."),
    ] = 0.0,
) -> None:
    """Serve the HTTP API and the console until SIGTERM or Ctrl-C; open requests then finish, a second one ends it."""
    import asyncio

    from callboard.apps.cli import load
    from callboard.apps.cli.serving import How, loop, needed, place, serve_app
    from callboard.runtime import log_as

    needed()
    chosen = settings(store, None, concurrency, dispatch=dispatch)
    where = place(chosen.listen, host, port)
    how = How(worker=worker, operator=operator, console=console, grace=grace)
    log_as(chosen.telemetry.log, chosen.telemetry.service)
    with asyncio.Runner(loop_factory=loop()) as runner:
        runner.run(serve_app(load.app(target), chosen, where, how))
