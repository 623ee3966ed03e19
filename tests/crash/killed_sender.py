"""A process that asks for one thing and is killed the moment it is committed: `python -m tests.crash.killed_sender`."""

import asyncio
import os
import signal
import sys
from typing import Any

import callboard as cb
from callboard.runtime import Runtime
from callboard.runtime import open as open_runtime
from callboard.settings import EngineSettings, GatewaySettings, Settings
from callboard.store.sessions import Meanwhile

URL = "https://hooks.example.com/told"
ENGINE = EngineSettings(sweep=0.1, drain=0.5)


def town() -> cb.App:
    """One flow that waits when it is told to."""
    app = cb.App("town")

    @app.flow
    async def gate(ctx: cb.Context, said: str) -> Any:
        return await ctx.wait("go", timeout=300) if said == "wait" else f"heard {said}"

    return app


def settings(store: str) -> Settings:
    return Settings(store=store, engine=ENGINE, gateway=GatewaySettings(secret="a secret of this test, long enough"))


async def ask(rt: Runtime, what: str, *more: str) -> None:
    desk = rt.desk(rt.access.local("me"))
    if what == "start":
        bell: Any = rt.services.bell
        bell.ring = _die
        await desk.runs.start("gate", "now", key=more[0], webhook=URL)
        return
    sessions: Any = rt.store.sessions
    add = sessions.add

    async def adds(*given: Any) -> Any:
        await add(*given)
        _die()

    sessions.add = adds
    await desk.sessions.send(more[0], "at once", meanwhile=Meanwhile(what))


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(store: str, *what: str) -> None:
    async with open_runtime(town(), settings=settings(store), worker=False) as rt:
        await ask(rt, *what)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
