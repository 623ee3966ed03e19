"""Serves an application over HTTP until it is told to stop, and then lets what is open finish."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from callboard.apps.gateway.door import Door
from callboard.apps.gateway.protocol import limited
from callboard.domain.errors import InputInvalid
from callboard.runtime import Runtime

_KEPT = 75  # seconds for which an idle connection is kept: longer than proxies in front keep theirs


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 for any. Raises InputInvalid when it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What is accepted there has it, too: an event must not wait for the next one.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind(address)
        made.setblocking(False)
    except OSError as error:
        raise InputInvalid(
            f"--host {host!r} --port {port} cannot be listened to",
            why=error.strerror or str(error),
            remedy="choose another port, or end what listens there",
        ) from None
    return made


async def serve(
    app: FastAPI,
    rt: Runtime,
    listening: socket.socket,
    stop: Callable[[], Awaitable[object]],
    *,
    grace: float = 0.0,
    ready: Callable[[], object] | None = None,
) -> None:
    """Serves until `stop` returns. Then it is no longer ready at once, goes on answering for `grace` seconds so that
    load balancers hear of it, sends streams away, takes no more connections, and lets requests that are open finish,
    for as long as the settings' `drain`.

    Args:
        app: what `application` made.
        rt: its runtime.
        listening: a socket, see `listen`.
        stop: returns when it is time to go.
        grace: seconds.
        ready: called once it answers.
    """
    settings = rt.settings
    config = uvicorn.Config(
        app,
        http=limited(settings.gateway.header_time),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEPT,
        timeout_graceful_shutdown=max(1, round(settings.engine.drain)),
    )
    if settings.file is not None:
        rt.courier.open()  # on PostgreSQL a door sees one tenant at a time, and workers tell the webhooks
    server = _Server(config, ready)
    door: Door = app.state.door
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    stopping = asyncio.ensure_future(stop())
    try:
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        door.draining = True
        await asyncio.sleep(grace)
    finally:
        door.draining = True
        door.leaving.set()
        server.should_exit = True
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await serving


class _Server(uvicorn.Server):
    """One that leaves signals alone: whoever opened the runtime hears them."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None:
            self._ready()
