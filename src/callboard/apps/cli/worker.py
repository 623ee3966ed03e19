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
    dispatch: options.Dispatch = None,
    concurrency: options.Concurrency = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="L", help="What this worker offers to runs that need it; repeatable."),
    ] = None,
    health_port: Annotated[
        int | None,
        typer.Option(
            "--health-port", metavar="N", min=0, max=65_535, help="Answer /livez, /readyz and /metrics on this port."
        ),
    ] = None,
    grace: Annotated[
        float,
        typer.Option(
            "--grace", metavar="S", min=0.0, help="Seconds between no longer being ready and claiming no more."
        ),
    ] = 0.0,
) -> None:
    """Execute runs until SIGTERM or Ctrl-C; effects in flight then finish, a second signal ends it at once."""
    import asyncio

    from callboard.apps.cli import load

    listen = None if health_port is None else f":{health_port}"
    chosen = settings(store, None, concurrency, dispatch=dispatch, labels=label, listen=listen)
    asyncio.run(_work(load.app(target), chosen, grace))


async def _work(app: "Flows", chosen: "Settings", grace: float) -> None:
    import asyncio
    import gc

    from callboard.apps.cli.probes import probing
    from callboard.apps.cli.stop import on_signal
    from callboard.runtime import log_as
    from callboard.runtime import open as open_runtime

    log_as(chosen.telemetry.log, chosen.telemetry.service)
    told = asyncio.Event()
    with probing(chosen.listen) as probes:

        def leave() -> None:
            if probes is not None:
                probes.leaving = True  # before anything else: who sends work here is to hear of it first
            told.set()

        with on_signal(leave):
            async with open_runtime(app, settings=chosen) as rt:
                assert rt.worker is not None
                flows = ", ".join(sorted(flow.full_name for flow in app.flows()))
                print(f"worker {rt.worker.id} on {chosen.place} runs: {flows}", file=sys.stderr, flush=True)
                if probes is not None:
                    probes.watch(rt)
                    print(f"answers on port {probes.port}", file=sys.stderr, flush=True)
                gc.collect()
                gc.freeze()  # what a process has when it begins, it keeps: the collector need not go through it again
                await told.wait()
                await asyncio.sleep(grace)
