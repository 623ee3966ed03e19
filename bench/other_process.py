"""Workers in processes of their own, as a measurement starts and watches them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from bench.worker_process import READY

ROOT = Path(__file__).resolve().parents[1]


class OtherProcess:
    """A worker that is ready."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._watched = psutil.Process(process.pid)

    def cpu(self) -> float:
        """Processor seconds of all its threads so far, in steps of a clock tick."""
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    async def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def working(workload: str, store: str, dispatch: str = "", **environment: str) -> AsyncIterator[OtherProcess]:
    """A worker for the app of a workload, from the moment when it is ready."""
    pipe = asyncio.subprocess.PIPE
    arguments = ("-m", "bench.worker_process", workload, store, *((dispatch,) if dispatch else ()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env={**os.environ, **environment}, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if await process.stdout.readline() != READY:
            raise RuntimeError("the worker process did not start; its message stands above")
        yield OtherProcess(process)
    finally:
        process.stdin.close()
        await process.wait()
