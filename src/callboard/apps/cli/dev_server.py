"""What `callboard dev` keeps running: gateway, console and worker in one process, on a socket that it was given."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callboard.runtime import Flows, Runtime
    from callboard.settings import Settings


def main() -> None:
    """Takes MODULE[:APP], the number of the socket to serve on, whether to `open` a browser, and what
    reload.Supervisor adds."""
    target, listening, show, leash, changed = sys.argv[1:]
    # Ctrl-C reaches the supervisor as well, which says once for each time that this is to end.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from callboard.apps.cli import load
    from callboard.apps.cli.desk import settings
    from callboard.apps.cli.failure import tell
    from callboard.apps.cli.serving import loop

    try:
        app, chosen = load.app(target), settings(None, None)
        with socket.socket(fileno=int(leash)) as held, asyncio.Runner(loop_factory=loop()) as runner:
            place = socket.socket(fileno=int(listening))
            runner.run(_serve(target, app, chosen, place, held, changed, browser=bool(show)))
    except Exception as error:
        sys.exit(tell(error))


async def _serve(
    target: str,
    app: "Flows",
    chosen: "Settings",
    listening: socket.socket,
    held: socket.socket,
    changed: str,
    *,
    browser: bool,
) -> None:
    from callboard.apps.cli.stop import on_signal
    from callboard.apps.gateway.application import application
    from callboard.apps.gateway.serving import serve
    from callboard.runtime import log_as
    from callboard.runtime import open as open_runtime

    log_as(chosen.telemetry.log, chosen.telemetry.service)
    told = asyncio.Event()
    held.setblocking(False)
    listening.setblocking(False)
    gone = asyncio.ensure_future(_gone(held, told))
    with on_signal(told.set, (signal.SIGTERM,), ""):  # the supervisor says it, where it is the end
        async with open_runtime(app, settings=chosen) as rt:
            key = await rt.access.first_key()
            address = chosen.gateway.public_url.rstrip("/") or _address(listening)

            def ready() -> None:
                held.send(b"r")
                if changed:
                    _say(f"began anew after {changed}")
                else:
                    flows = ", ".join(sorted({flow.name for flow in app.flows()})) or "none yet"
                    _say(f"{target} on {chosen.place}; flows: {flows}")
                    _present(_link(rt, address), browser=browser)
                if key is not None or not changed:
                    _say(f"API: {address}/v1" + (f" with the key {key} (not shown again)" if key else ""))

            with _another(rt, address):
                await serve(application(rt), rt, listening, told.wait, ready=ready)
    gone.cancel()


async def _gone(held: socket.socket, told: asyncio.Event) -> None:
    """Ends when the supervisor is gone: nobody would end this otherwise."""
    with suppress(OSError):  # reset, where our word was not read
        await asyncio.get_running_loop().sock_recv(held, 1)
    told.set()


def _present(link: str, *, browser: bool) -> None:
    _say(f"console, for you, once: {link}")
    if sys.stdin.isatty():
        _say("Enter shows another link, Ctrl-C ends")
    if browser:
        import webbrowser

        webbrowser.open(link)


@contextmanager
def _another(rt: "Runtime", address: str) -> Iterator[None]:
    """At the terminal, Enter shows another link: the first one is good once, and not after a new beginning."""
    if not sys.stdin.isatty():
        yield
        return
    loop = asyncio.get_running_loop()

    def typed() -> None:
        if os.read(sys.stdin.fileno(), 1_024):
            _say(_link(rt, address))
        else:
            loop.remove_reader(sys.stdin)

    loop.add_reader(sys.stdin, typed)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)


def _link(rt: "Runtime", address: str) -> str:
    from callboard.apps.cli.person import sitting

    return f"{address}/console/enter?token={rt.access.entry_token(sitting())}"


def _address(listening: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound to, only shown
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
