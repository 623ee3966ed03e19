"""w5: a worker is killed with 20 runs in hand; another one goes on with them by itself."""

import asyncio
import os
import time
from statistics import median

import callboard as cb
from bench.figure import Figure
from bench.other_process import working
from bench.places.place import Place, opened
from callboard.settings import EngineSettings

RUNS, TIMES = 20, 2
_HOLD = "CALLBOARD_BENCH_HOLD"

app = cb.App("takeover")


async def begin() -> bool:
    return True


async def hold() -> bool:
    """Never ends in the worker that will be killed."""
    await asyncio.sleep(3_600.0 if os.environ.get(_HOLD) else 0.0)
    return True


@app.flow
async def held(ctx: cb.Context, input: None) -> bool:
    return await ctx.step(begin) and await ctx.step(hold)


async def measure(place: Place) -> dict[str, Figure]:
    """In multiples of the time after which a silent worker loses its runs."""
    lease = EngineSettings().lease
    return {"w5": Figure(median([await _kill(place.store("w5")) for _ in range(TIMES)]) / lease)}


async def _kill(store: str) -> float:
    """Seconds from the kill to the last result."""
    async with opened(app, store, worker=False) as rt, working("takeover", store, **{_HOLD: "1"}) as doomed:
        handles = [await rt.start(held) for _ in range(RUNS)]
        while (await rt.store.runs.counts(rt.settings.tenant)).get(cb.RunStatus.RUNNING, 0) < RUNS:  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # so that each has recorded its first step and begun its second
        async with working("takeover", store):
            await asyncio.sleep(1.3)  # it has looked around once and found nothing
            begun = time.perf_counter()
            await doomed.kill()
            assert all(await asyncio.gather(*[handle.result() for handle in handles]))
            return time.perf_counter() - begun
