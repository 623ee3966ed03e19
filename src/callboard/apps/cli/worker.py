"""The verb `worker`: executes an app's runs until it is told to stop."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.apps.cli import options
from callboard.apps.cli.desk import settings

if TYPE_CHECKING:
    from callboard.runtime import Flows
    from callboard.settings import Settings


def worker(
    target: Annotated[str, typer.Argument(metavar="MODULE[:APP]", help="Where the app is.")],
    store: options.Store = None,
    concurrency: options.Concurrency = None,
) -> None:
    """Execute runs until SIGTERM or Ctrl-C; effects in flight then finish, a second signal ends it at once."""
    import asyncio

    from callboard.apps.cli import load

    asyncio.run(_work(load.app(target), settings(store, None, concurrency)))


async def _work(app: "Flows", chosen: "Settings") -> None:
    import asyncio

    from callboard.apps.cli.stop import on_signal
    from callboard.runtime import open as open_runtime

    told = asyncio.Event()
    with on_signal(told.set):
        async with open_runtime(app, settings=chosen) as rt:
            assert rt.worker is not None
            flows = ", ".join(sorted(flow.full_name for flow in app.flows()))
            print(f"worker {rt.worker.id} on {chosen.store} runs: {flows}", file=sys.stderr, flush=True)
            await told.wait()
