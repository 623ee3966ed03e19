"""The verb `dev`: gateway, console and worker on one address, anew whenever a file changes."""

import sys
from typing import Annotated

import typer

from callboard.apps.cli import options

PORT = 8400
_SERVER = (sys.executable, "-m", "callboard.apps.cli.dev_server")
_PATIENCE = 10.0  # seconds that a server has for ending, above those that effects in flight have


def dev(
    target: Annotated[str, typer.Argument(metavar="MODULE[:APP]", help="Where the app is.")],
    store: options.Store = None,
    host: Annotated[
        str, typer.Option("--host", metavar="H", help="Where it answers; who reaches it there must log in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65_535, help="Its port, 0 for any.")] = PORT,
    show: Annotated[bool, typer.Option("--open", help="Open a browser on it.")] = False,
    reload: Annotated[bool, typer.Option("--reload/--no-reload", help="Begin anew when a file changes.")] = True,
) -> None:
    """Serve the API and the console and execute runs, in one process, until Ctrl-C. It begins anew when a Python, TOML
    or template file below this folder changes; runs that were under way go on."""
    import asyncio
    import os

    from callboard.apps.cli.desk import settings
    from callboard.apps.cli.reload import Supervisor
    from callboard.apps.cli.serving import needed
    from callboard.apps.gateway.serving import listen

    needed(*(("watchfiles",) if reload else ()))
    _findable(target.partition(":")[0])
    chosen = settings(store, None)
    listening = listen(host, port)
    try:
        # What is asked for while nobody answers, between two servers, waits here instead of being refused.
        listening.listen()
        listening.set_inheritable(True)
        supervisor = Supervisor(
            [*_SERVER, target, str(listening.fileno()), "open" if show else ""],
            os.environ | {"CALLBOARD_STORE": chosen.store},
            (listening.fileno(),),
            os.getcwd() if reload else None,
            chosen.engine.drain + _PATIENCE,
        )
        code = asyncio.run(supervisor.run())
    finally:
        listening.close()
    if code:
        raise typer.Exit(code)


def _findable(name: str) -> None:
    """Raises InputInvalid for a module that is not there: no change of a file would mend that."""
    import importlib.util
    import os

    from callboard.domain.errors import InputInvalid

    sys.path.insert(0, folder := os.getcwd())
    top = name.partition(".")[0]
    if not top.isidentifier() or importlib.util.find_spec(top) is None:
        raise InputInvalid(
            f"there is no module {name}",
            why=f"{top} is neither installed nor in {folder}",
            remedy="change to the folder that holds it, or correct the name",
        )
