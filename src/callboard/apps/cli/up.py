"""The verb `up`: serves an app for good, once it has looked at what a deployment needs."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from callboard.apps.cli import options
from callboard.apps.cli.desk import settings

if TYPE_CHECKING:
    from callboard.runtime import Runtime
    from callboard.settings import Settings

_LOG = "CALLBOARD_TELEMETRY_LOG"
_LOOPBACK = ("127.", "localhost", "::1")


def up(
    target: Annotated[str, typer.Argument(metavar="MODULE[:APP]", help="Where the app is.")],
    store: options.Store = None,
    dispatch: options.Dispatch = None,
    host: options.Host = None,
    port: options.Port = None,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Execute runs in this process, too, and deliver webhooks.")
    ] = True,
    concurrency: options.Concurrency = None,
    grace: Annotated[
        float,
        typer.Option("--grace", metavar="S", min=0.0, help="Seconds between no longer being ready and leaving."),
    ] = 5.0,
) -> None:
    """Serve the API and the console and execute runs, for good: looks first at what a deployment needs, and logs lines
    of JSON. SIGTERM lets open requests and effects in flight finish; a second one ends it."""
    import asyncio
    import logging

    import msgspec

    from callboard.apps.cli import load
    from callboard.apps.cli.serving import How, loop, needed, place, serve_app
    from callboard.runtime import log_as

    needed()
    chosen = settings(store, None, concurrency, dispatch=dispatch)
    if _LOG not in os.environ:
        chosen = msgspec.structs.replace(chosen, telemetry=msgspec.structs.replace(chosen.telemetry, log="json"))
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")  # of text
    log_as(chosen.telemetry.log, chosen.telemetry.service)
    log = logging.getLogger(__name__)
    where = place(chosen.listen, host, port)
    for warning in _doubts(chosen, where[0]):
        log.warning(warning)

    async def check(rt: "Runtime") -> None:
        await rt.access.secret.key("start")  # its own errors say what to do
        log.info(f"the store {chosen.place} answers, and its schema is that of this version")

    how = How(worker=worker, grace=grace, tell=log.info)
    with asyncio.Runner(loop_factory=loop()) as runner:
        runner.run(serve_app(load.app(target), chosen, where, how, check))


def _doubts(chosen: "Settings", host: str) -> list[str]:
    """What works and is hardly meant."""
    said = []
    url = chosen.gateway.public_url
    if not url:
        said.append(
            "CALLBOARD_GATEWAY_PUBLIC_URL is not set: cookies are not limited to https, and links in answers are made "
            "of what clients say; set it to the https address under which clients reach this"
        )
    elif not url.startswith("https:"):
        said.append(f"CALLBOARD_GATEWAY_PUBLIC_URL={url} is no https address: keys and cookies travel in clear text")
    if not host.startswith(_LOOPBACK) and not chosen.gateway.proxies:
        said.append(
            f"it answers on {host} and CALLBOARD_GATEWAY_PROXIES is empty: it speaks no TLS itself; put a proxy before "
            "it and name its address, or all requests seem to come from the proxy"
        )
    if chosen.store == "sqlite://":
        said.append("the store is in memory: all runs, keys and records end with this process")
    return said
