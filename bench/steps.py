"""w1: durable steps, of many runs side by side and of one run alone."""

import asyncio
import time
from statistics import median
from typing import Any

import callboard as cb
from bench import floors
from bench.figure import Figure
from bench.payload import PAYLOAD
from bench.scratch import Scratch, opened

RUNS, STEPS, ALONE, TIMES = 200, 20, 200, 5

app = cb.App("steps")


async def work(index: int) -> dict[str, Any]:
    return PAYLOAD


@app.flow
async def stepping(ctx: cb.Context, steps: int) -> int:
    for index in range(steps):
        found: dict[str, Any] = await ctx.step(work, index)
        assert found["ok"]
    return steps


async def measure(scratch: Scratch) -> dict[str, Figure]:
    """Each round of ours has a round of the floor beside it, so that both meet the same noise."""
    rates, cpus, grouped = [], [], []
    alone, single = [], []
    async with opened(app, scratch.file()) as rt:
        await _side_by_side(rt)
        await rt.run(stepping, ALONE)
        for _ in range(TIMES):
            rate, cpu = await _side_by_side(rt)
            rates.append(rate)
            cpus.append(cpu)
            grouped.append(floors.grouped_rows(scratch.file()))
            alone.append(await _alone(rt))
            single.append(floors.single_rows(scratch.file()))
    return {
        "w1": Figure(median(rates), median(grouped)),
        "w1_single": Figure(median(alone), median(single)),
        "w1_cpu": Figure(median(cpus)),
    }


async def _side_by_side(rt: cb.Runtime) -> tuple[float, float]:
    """Steps a second, and processor seconds for 1,000 steps."""
    begun, cpu = time.perf_counter(), time.process_time()
    done = await asyncio.gather(*[rt.run(stepping, STEPS) for _ in range(RUNS)])
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return sum(done) / took, cpu * 1e3 / sum(done)


async def _alone(rt: cb.Runtime) -> float:
    """Milliseconds a step."""
    begun = time.perf_counter()
    await rt.run(stepping, ALONE)
    return (time.perf_counter() - begun) * 1e3 / ALONE
