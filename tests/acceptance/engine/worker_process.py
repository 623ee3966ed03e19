"""A worker in a process of its own, for tests that kill or stop it: `python -m ...worker_process FOLDER [stop]`.

The store and the ledger are in FOLDER. With `stop`, the process stops itself (SIGSTOP) right after it has committed
the intent of a `once` call.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import apsw

import callboard as cb
from callboard.domain.event import EventKind
from callboard.engine.clock import SystemClock
from callboard.runtime import build
from callboard.settings import EngineSettings, Settings
from callboard.wiring import sqlite_store

ENGINE = EngineSettings(sweep=0.05, beat=0.1, lease=0.8, window=0.3, drain=1.0, max_deaths=3)


def settings(folder: Path) -> Settings:
    """What door and workers share."""
    return Settings(store=f"sqlite:///{folder / 'store.db'}", engine=ENGINE)


def note(folder: Path, *words: Any) -> None:
    """Writes one line into the ledger, at once."""
    with open(folder / "ledger.txt", "a") as ledger:
        ledger.write(" ".join(str(word) for word in (*words, os.getpid())) + "\n")


def ledger(folder: Path) -> list[list[str]]:
    """The lines of the ledger, as words."""
    path = folder / "ledger.txt"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def workers_app(folder: Path) -> cb.App:
    """Flows that kill their worker, flows that mind their own business, and tools that are counted outside."""
    app, busy = cb.App("workers"), [0]

    def die() -> str:
        if (folder / "mended").exists():
            return "mended"
        note(folder, "beside", busy[0])
        if len(ledger(folder)) % 2:
            os._exit(3)
        os.kill(os.getpid(), signal.SIGKILL)
        return "?"

    async def tick(n: int) -> int:
        await asyncio.sleep(0.01)
        return n

    async def leave() -> None:
        sys.exit(4)

    @app.flow
    async def killer(ctx: cb.Context, _: Any) -> str:
        return await ctx.step(die)

    @app.flow
    async def leaver(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.step(leave)
        except cb.StepFailed as failed:
            return str(failed.detail["type"])
        return "?"

    @app.flow
    async def innocent(ctx: cb.Context, n: int) -> int:
        busy[0] += 1
        try:
            return sum([await ctx.step(tick, n) for _ in range(40)])
        finally:
            busy[0] -= 1

    @app.tool(effect="idempotent", timeout=20)
    async def book(n: int, *, key: cb.IdempotencyKey) -> str:
        note(folder, "book", n, key)
        while (folder / f"hold {n}").exists():
            await asyncio.sleep(0.01)
        return f"booked {n}"

    @app.flow
    async def booking(ctx: cb.Context, _: Any) -> list[str]:
        return [await book.call(ctx, n=n) for n in range(4)]

    async def reconcile(key: str) -> Any:
        done = any(line[:2] == ["charge", key] for line in ledger(folder))
        return cb.Applied("found") if done else cb.NotApplied()

    @app.tool(timeout=0.3, reconcile=reconcile)
    async def charge(*, key: cb.IdempotencyKey) -> str:
        note(folder, "charge", key)
        return "charged"

    @app.flow
    async def charging(ctx: cb.Context, _: Any) -> str:
        return await charge.call(ctx)

    return app


class StopsItself:
    """A fault hook that stops the whole process after the first intent was committed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done = False

    def __call__(self, point: str) -> None:
        if point != "after_commit" or self._done:
            return
        db = apsw.Connection(str(self._path))
        found = db.execute("SELECT 1 FROM events WHERE kind = ?", (int(EventKind.INTENT),)).fetchall()
        db.close()
        if found:
            self._done = True
            os.kill(os.getpid(), signal.SIGSTOP)


async def work(folder: Path, *, stop: bool) -> None:
    """Executes runs until the process is ended."""
    clock, path = SystemClock(), folder / "store.db"
    store = sqlite_store(str(path), clock, StopsItself(path) if stop else None)
    runtime = build(workers_app(folder), settings(folder), clock=clock, store=store)
    await runtime.open()
    note(folder, "working")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), stop="stop" in sys.argv[2:]))
