"""w1: durable steps, of many runs side by side, of one run alone, and of two workers in processes of their own."""

import asyncio
import time
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import callboard as cb
from bench.figure import Figure
from bench.other_process import working
from bench.payload import PAYLOAD
from bench.places.place import Place, opened

RUNS, STEPS, ALONE, TIMES = 200, 20, 200, 7
TWO_RUNS, TWO_TIMES = 400, 7

app = cb.App("steps")


async def work(index: int) -> dict[str, Any]:
    return PAYLOAD


@app.flow
async def stepping(ctx: cb.Context, steps: int) -> int:
    for index in range(steps):
        found: dict[str, Any] = await ctx.step(work, index)
        assert found["ok"]
    return steps


async def measure(place: Place) -> dict[str, Figure]:
    """Each round of ours has a round of the floor beside it, so that both meet the same noise."""
    found: dict[str, list[float]] = {}

    def note(key: str, value: float) -> None:
        found.setdefault(key, []).append(value)

    async with opened(app, place.store("w1")) as rt:
        await _side_by_side(rt, place)
        await rt.run(stepping, ALONE)
        for _ in range(TIMES):
            rate, cpu, server = await _side_by_side(rt, place)
            note("w1", rate)
            note("w1_cpu", cpu)
            note("w1_server_cpu", server)
            note("rows_50", await place.grouped_rows(50))
            note("rows_200", await place.grouped_rows(200))
            note("w1_single", await _alone(rt))
            note("single", await place.single_rows())
    values = {key: median(all_of_it) for key, all_of_it in found.items()}
    figures = {key: Figure(value) for key, value in values.items() if key != "single"}
    figures["rows_1"] = Figure(1e3 / values["single"])
    figures["w1"] = Figure(values["w1"], values["rows_200"])
    figures["w1_single"] = Figure(values["w1_single"], values["single"])
    if place.server is None:
        del figures["w1_server_cpu"]
        return figures
    return figures | await _two_workers(place)


async def _side_by_side(rt: cb.Runtime, place: Place) -> tuple[float, float, float]:
    """Steps a second, and processor seconds for 1,000 steps: ours, the server's."""
    server = 0.0 if place.server is None else place.server.cpu()
    begun, cpu = time.perf_counter(), time.process_time()
    done = await asyncio.gather(*[rt.run(stepping, STEPS) for _ in range(RUNS)])
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    server = 0.0 if place.server is None else place.server.cpu() - server
    return sum(done) / took, cpu * 1e3 / sum(done), server * 1e3 / sum(done)


async def _alone(rt: cb.Runtime) -> float:
    """Milliseconds a step."""
    begun = time.perf_counter()
    await rt.run(stepping, ALONE)
    return (time.perf_counter() - begun) * 1e3 / ALONE


async def _two_workers(place: Place) -> dict[str, Figure]:
    """Another two processes execute what this one starts. With two cores, they and the server share them."""
    assert place.server is not None
    store = place.store("w1_two")
    rates, cpus, servers = [], [], []
    async with opened(app, store, worker=False) as rt, AsyncExitStack() as held:
        workers = [await held.enter_async_context(working("steps", store)) for _ in range(2)]
        for warm in (True, *[False] * TWO_TIMES):
            cpu, server = time.process_time() + sum(each.cpu() for each in workers), place.server.cpu()
            begun = time.perf_counter()
            done = sum(await asyncio.gather(*[rt.run(stepping, STEPS) for _ in range(TWO_RUNS)]))
            took = time.perf_counter() - begun
            cpu = time.process_time() + sum(each.cpu() for each in workers) - cpu
            if not warm:
                rates.append(done / took)
                cpus.append(cpu * 1e3 / done)
                servers.append((place.server.cpu() - server) * 1e3 / done)
    return {
        "w1_two": Figure(median(rates)),
        "w1_two_cpu": Figure(median(cpus)),
        "w1_two_server_cpu": Figure(median(servers)),
    }
