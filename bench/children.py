"""w3: a parent that waits for 200 child runs side by side."""

import time
from statistics import median
from typing import Any

import callboard as cb
from bench.figure import Figure
from bench.payload import PAYLOAD
from bench.places.place import Place, opened

CHILDREN, TIMES = 200, 5

app = cb.App("children")


async def work(index: int) -> dict[str, Any]:
    return PAYLOAD


@app.flow
async def child(ctx: cb.Context, index: int) -> dict[str, Any]:
    return await ctx.step(work, index)


@app.flow
async def parent(ctx: cb.Context, count: int) -> int:
    return len(await ctx.gather(*[ctx.spawn(child, index) for index in range(count)]))


async def measure(place: Place) -> dict[str, Figure]:
    """Seconds from the parent's start to its result; the first one warms up."""
    times = []
    async with opened(app, place.store("w3")) as rt:
        for _ in range(1 + TIMES):
            begun = time.perf_counter()
            assert await rt.run(parent, CHILDREN) == CHILDREN
            times.append(time.perf_counter() - begun)
    return {"w3": Figure(median(times[1:]))}
