"""w8: runs that this process starts and another one executes."""

import asyncio
import time
from statistics import median, quantiles

import callboard as cb
from bench.figure import Figure
from bench.other_process import working
from bench.places.place import Place, opened

RUNS, WARM_UP, TIMES, SINGLE = 8_000, 1_000, 5, 300

app = cb.App("trivial")


@app.flow
async def echo(ctx: cb.Context, value: int) -> int:
    return value


async def measure(place: Place) -> dict[str, Figure]:
    """All runs at once for the rate, then one after the other for the latency; then the same with Redis."""
    rate, latency = await _through(place, "")
    figures = {"w8_rate": Figure(rate), "w8_latency_p95": Figure(latency)}
    if place.redis is not None:
        rate, latency = await _through(place, place.redis)
        figures |= {"w8_redis_rate": Figure(rate), "w8_redis_latency_p95": Figure(latency)}
    return figures


async def _through(place: Place, dispatch: str) -> tuple[float, float]:
    store = place.store("w8")
    async with opened(app, store, dispatch=dispatch, worker=False) as rt, working("dispatch", store, dispatch):
        await _all_at_once(rt, WARM_UP)
        rates = [await _all_at_once(rt, RUNS) for _ in range(TIMES)]
        times = [await _one(rt, number) for number in range(SINGLE)]
    return median(rates), quantiles(times, n=20)[-1]


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
