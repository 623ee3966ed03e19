"""w8: runs that this process starts and another one executes."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles

import callboard as cb
from bench.figure import Figure
from bench.scratch import Scratch, opened
from bench.worker_process import READY, app, echo

RUNS, WARM_UP, TIMES, SINGLE = 8_000, 1_000, 5, 300
ROOT = Path(__file__).resolve().parents[1]


async def measure(scratch: Scratch) -> dict[str, Figure]:
    """All runs at once for the rate, then one after the other for the latency."""
    path = scratch.file()
    async with opened(app, path, worker=False) as rt, _worker(path):
        await _all_at_once(rt, WARM_UP)
        rates = [await _all_at_once(rt, RUNS) for _ in range(TIMES)]
        times = [await _one(rt, number) for number in range(SINGLE)]
    return {"w8_rate": Figure(median(rates)), "w8_latency_p95": Figure(quantiles(times, n=20)[-1])}


@asynccontextmanager
async def _worker(path: Path) -> AsyncIterator[None]:
    """Another process, from the moment when it is ready."""
    pipe = asyncio.subprocess.PIPE
    arguments = ("-m", "bench.worker_process", str(path))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if await process.stdout.readline() != READY:
            raise RuntimeError("the worker process did not start; its message stands above")
        yield
    finally:
        process.stdin.close()
        await process.wait()


async def _all_at_once(rt: cb.Runtime, count: int) -> float:
    """Runs a second, from the first start to the last result."""
    begun = time.perf_counter()
    await asyncio.gather(*[rt.run(echo, number) for number in range(count)])
    return count / (time.perf_counter() - begun)


async def _one(rt: cb.Runtime, number: int) -> float:
    """Milliseconds from start to result."""
    begun = time.perf_counter()
    assert await rt.run(echo, number) == number
    return (time.perf_counter() - begun) * 1e3
