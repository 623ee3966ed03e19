"""w7: runs that wait for a signal: what each costs its worker, and how fast thousands of them park and end."""

import asyncio
import gc
import time
import tracemalloc
from statistics import median

import callboard as cb
from bench.figure import Figure
from bench.places.place import Place, opened

WARM_UP, MANY, FEW, TIMES = 5_000, 50_000, 5_000, 3
AT_ONCE = 1_000  # starts and signals under way at a time

app = cb.App("waiting")


@app.flow
async def waiter(ctx: cb.Context, input: None) -> str:
    return str(await ctx.wait("go"))


async def measure(place: Place) -> dict[str, Figure]:
    """Times first, without the tracing that memory needs."""
    creates, wakes = [], []
    for _ in range(TIMES):
        async with opened(app, place.store("w7")) as rt:
            begun = time.perf_counter()
            ids = await _start(rt, FEW)
            await _until(rt, cb.RunStatus.WAITING, FEW)
            creates.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await _signal(rt, ids)
            await _until(rt, cb.RunStatus.SUCCEEDED, FEW)
            wakes.append(time.perf_counter() - begun)
    return {
        "w7_bytes": Figure(await _traced_bytes(place)),
        "w7_create": Figure(median(creates)),
        "w7_wake": Figure(median(wakes)),
    }


async def _traced_bytes(place: Place) -> float:
    """Bytes left per waiting run, over what a worker with some thousand waiting runs had."""
    tracemalloc.start()
    try:
        async with opened(app, place.store("w7")) as rt:
            await _start(rt, WARM_UP)
            await _until(rt, cb.RunStatus.WAITING, WARM_UP)
            before = _left()
            for _ in range(MANY // AT_ONCE):
                await _start(rt, AT_ONCE)
            await _until(rt, cb.RunStatus.WAITING, WARM_UP + MANY)
            return (_left() - before) / MANY
    finally:
        tracemalloc.stop()


async def _start(rt: cb.Runtime, count: int) -> list[str]:
    ids: list[str] = []
    while len(ids) < count:
        handles = await asyncio.gather(*[rt.start(waiter) for _ in range(min(AT_ONCE, count - len(ids)))])
        ids += [handle.id for handle in handles]
    return ids


async def _signal(rt: cb.Runtime, ids: list[str]) -> None:
    for first in range(0, len(ids), AT_ONCE):
        await asyncio.gather(*[rt.handle(run_id).signal("go", "on") for run_id in ids[first : first + AT_ONCE]])


async def _until(rt: cb.Runtime, status: cb.RunStatus, count: int) -> None:
    """Waits until that many runs stand so. The store is only asked when the worker has nothing in hand."""
    assert rt.worker is not None
    while True:
        if not rt.worker.active:
            counts = await rt.store.runs.counts(rt.settings.tenant)
            if counts.get(status, 0) == count:
                return
        await asyncio.sleep(0.01)


def _left() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
