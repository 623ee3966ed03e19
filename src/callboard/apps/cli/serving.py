"""What the verbs that serve have in common: what must be installed, where they answer, and the serving itself."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callboard.runtime import Flows, Runtime
    from callboard.settings import Settings

HOST, PORT = "127.0.0.1", 8420
_NEEDED = ("fastapi", "uvicorn", "httptools", "jinja2", "argon2")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How an app is served.

    Attributes:
        worker: runs are executed in this process, too.
        operator: on PostgreSQL, for all tenants at once.
        console: the pages are served, too.
        grace: seconds between no longer being ready and leaving.
        tell: what is said goes there.
    """

    worker: bool = False
    operator: bool = False
    console: bool = True
    grace: float = 0.0
    tell: Callable[[str], None] = _print


def needed(*more: str) -> None:
    """Raises InputInvalid unless what the doors are built on is installed, and `more`."""
    from importlib.util import find_spec

    from callboard.domain.errors import InputInvalid

    missing = [name for name in (*_NEEDED, *more) if find_spec(name) is None]
    if missing:
        raise InputInvalid(
            f"the gateway needs {', '.join(missing)}", remedy='pip install "callboard[gateway]"', why="not installed"
        )


def place(listen: str, host: str | None, port: int | None) -> tuple[str, int]:
    """Host and port out of CALLBOARD_LISTEN, as `host:port` or `:port`, and what was given beside it.

    Raises InputInvalid.
    """
    from callboard.domain.errors import InputInvalid

    known, colon, number = listen.rpartition(":")
    if listen and not (colon and number.isdecimal() and int(number) <= 65_535):
        raise InputInvalid(f"CALLBOARD_LISTEN={listen!r} is no address", remedy="write host:port, or :port for all")
    found_host = (known.strip("[]") or "0.0.0.0") if listen else HOST  # noqa: S104 - that is what `:port` asks for
    return host or found_host, (int(number) if listen else PORT) if port is None else port


def loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop's, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve_app(
    app: "Flows",
    chosen: "Settings",
    where: tuple[str, int],
    how: How,
    check: "Callable[[Runtime], Awaitable[None]] | None" = None,
) -> None:
    """Serves until SIGTERM or Ctrl-C; then open requests finish.

    Args:
        app: whose flows.
        chosen: all options.
        where: host and port; port 0 for any.
        how: what else is done.
        check: looks at the open runtime before anybody is let in.

    Raises StoreError, InputInvalid, and what `check` raises.
    """
    from callboard.apps.cli.stop import on_signal
    from callboard.apps.gateway.application import application
    from callboard.apps.gateway.serving import listen, serve
    from callboard.runtime import open as open_runtime

    told = asyncio.Event()
    listening = listen(*where)
    try:
        with on_signal(told.set):
            async with open_runtime(app, worker=how.worker, operator=how.operator, settings=chosen) as rt:
                if check is not None:
                    await check(rt)
                if (key := await rt.access.first_key()) is not None:
                    _show(key)
                host, port = listening.getsockname()[:2]
                shown = f"[{host}]" if ":" in host else host

                def ready() -> None:
                    flows = ", ".join(sorted(flow.full_name for flow in app.flows())) or "no flows"
                    doing = "serves and runs" if how.worker else "serves"
                    how.tell(f"http://{shown}:{port} on {chosen.place} {doing}: {flows}")

                served = application(rt, console=how.console, bound=where[0])
                await serve(served, rt, listening, told.wait, grace=how.grace, ready=ready)
    finally:
        listening.close()


def _show(key: str) -> None:
    """Never to a log: logs are kept, and read by many."""
    _print(f"first start: nobody has a key yet. This one may do everything; it is shown once:\n{key}")
