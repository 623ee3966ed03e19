"""Serves an application over HTTP until it is told to stop, and then lets what is open finish."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from callboard.apps.gateway.door import Door
from callboard.apps.gateway.protocol import limited
from callboard.domain.errors import InputInvalid
from callboard.runtime import Runtime

# The event loop takes one connection a round from each socket that listens. Rounds are long in a process that is
# overloaded, and who comes anew, such as a load balancer that asks for its health, must not wait for hundreds of them.
_ACCEPTED = 8
_KEPT = 75  # seconds for which an idle connection is kept: longer than proxies in front keep theirs
_OBJECTS = 10_000  # that are made before young ones are looked through for garbage


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
        http=limited(settings.gateway.header_time, app.state.refusing.answer),
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
    doors = [listening, *(listening.dup() for _ in range(_ACCEPTED - 1))]
    serving = asyncio.ensure_future(server.serve(sockets=doors))
    stopping = asyncio.ensure_future(stop())
    warming = asyncio.ensure_future(_warmed(app))
    try:
        with _seldom_collected():
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
        await asyncio.wait([warming])


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Garbage is nearly all freed without the collector. What is looked through for the rest are requests in hand, and
    not, again and again, the hundreds of thousands of objects that the program itself is: a fifth of a start's time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


async def _warmed(app: FastAPI) -> None:
    if (warm := getattr(app.state, "warm", None)) is not None:
        await asyncio.to_thread(warm)


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
