"""A load as it comes in life: runs start at random times, steps wait for a model, other processes execute them."""

import asyncio
import random
import time
from contextlib import AsyncExitStack

import callboard as cb
from bench.capacity.costs import Check
from bench.other_process import working
from bench.payload import PAYLOAD
from bench.places.place import opened
from bench.places.postgres import PostgresPlace

app = cb.App("load")


async def answer(latency: float) -> dict[str, object]:
    """A model or a tool, as far as time is concerned."""
    await asyncio.sleep(latency)
    return PAYLOAD


@app.flow
async def loaded(ctx: cb.Context, shape: dict[str, float]) -> int:
    for _ in range(int(shape["steps"])):
        await ctx.step(answer, shape["latency"])
    return int(shape["steps"])


async def check(place: PostgresPlace, rate: float, steps: int, latency: float, workers: int, seconds: float) -> Check:
    """Puts the load on; counts from the time when as many runs end as begin."""
    store, chance, ends = place.store("load"), random.Random(1), 3 * steps * latency
    running = 0
    seen: list[int] = []

    async with AsyncExitStack() as held:
        rt = await held.enter_async_context(opened(app, store, worker=False))
        processes = [await held.enter_async_context(working("capacity.checking", store)) for _ in range(workers)]
        tasks: set[asyncio.Task[None]] = set()

        async def one() -> None:
            nonlocal running
            running += 1
            await rt.run(loaded, {"steps": steps, "latency": latency})
            running -= 1

        async def starts(until: float) -> None:
            due = time.perf_counter()
            while due < until:
                await asyncio.sleep(due - time.perf_counter())
                task = asyncio.create_task(one())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                seen.append(running)
                due += chance.expovariate(rate)

        def spent() -> tuple[float, float, float]:
            return time.process_time(), sum(each.cpu() for each in processes), place.server.cpu()

        await starts(time.perf_counter() + min(ends, 15.0))
        seen.clear()
        log, before, begun = await place.server.log_bytes(), spent(), time.perf_counter()
        await starts(begun + seconds)
        after, took = spent(), time.perf_counter() - begun
        log = await place.server.log_bytes() - log
        count = len(seen)
        await asyncio.gather(*tasks)
    door, worker, server = ((then - now) / took for then, now in zip(after, before, strict=True))
    return Check(
        runs_per_second=count / took,
        steps=steps,
        latency=latency,
        workers=workers,
        seconds=took,
        inflight=sum(seen) / count,
        door_cpu=door,
        worker_cpu=worker,
        server_cpu=server,
        log=log / took,
    )
