"""Starts worker processes, watches them, and lets none of them outlive its test."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import callboard as cb
from tests.acceptance.engine.worker_process import ledger, settings, workers_app

ROOT = Path(__file__).resolve().parents[3]
MODULE = "tests.acceptance.engine.worker_process"


class Company:
    """The worker processes of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Starts one more worker."""
        search = os.pathsep.join([p for p in (os.environ.get("PYTHONPATH"), str(ROOT / "src"), str(ROOT)) if p])
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, str(self.folder), *words], cwd=ROOT, env={**os.environ, "PYTHONPATH": search}
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """Kills all that are left."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


@asynccontextmanager
async def company(folder: Path) -> AsyncIterator[tuple[Company, cb.Runtime]]:
    """A company without workers yet, and a door to its store."""
    workers = Company(folder)
    async with cb.open(workers_app(folder), settings=settings(folder), worker=False) as door:
        try:
            yield workers, door
        finally:
            workers.end()


async def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Waits until something is true, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.01)
    return found


def lines(folder: Path, word: str) -> list[list[str]]:
    """The ledger's lines that begin with a word."""
    return [line for line in ledger(folder) if line[0] == word]
