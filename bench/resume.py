"""w11: how long a run with a long journal takes to come back in another runtime."""

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import callboard as cb
from bench.figure import Figure
from bench.payload import word_salad
from bench.places.place import Place, opened

STEPS, TIMES = 1_000, 9
SETTLED = 0.05  # seconds after which a new worker has looked around and waits for news


async def say(index: int) -> dict[str, Any]:
    return {"content": word_salad(index)}


def replaying(on_past: Callable[[], None]) -> tuple[cb.App, Any]:
    """A flow of 1,000 recorded steps that waits, again and again, and tells whenever it is past the steps."""
    app = cb.App("resume")

    @app.flow
    async def long(ctx: cb.Context, steps: int) -> None:
        for index in range(steps):
            said: dict[str, Any] = await ctx.step(say, index)
            assert said["content"]
        on_past()
        while True:
            await ctx.wait("go")

    return app, long


async def measure(place: Place) -> dict[str, Figure]:
    """Microseconds a step from the claim, each time in a runtime that has just been opened."""
    store = place.store("w11")
    run_id = await _record(store)
    ours, reading = [], []
    for _ in range(TIMES):
        ours.append(await _resume(store, run_id) * 1e6 / STEPS)
        reading.append(await place.read_rows(store))
    return {"w11": Figure(median(ours), median(reading))}


async def _record(store: str) -> str:
    app, flow = replaying(lambda: None)
    async with opened(app, store) as rt:
        handle = await rt.start(flow, STEPS)
        await _parked(handle)
        return handle.id


async def _resume(store: str, run_id: str) -> float:
    """Seconds from the claim that takes the run to the end of the recorded steps."""
    past: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    app, _ = replaying(lambda: past.set_result(time.perf_counter()))
    async with opened(app, store) as rt:
        await asyncio.sleep(SETTLED)
        claims = rt.store.claims
        claim, begun = claims.claim, 0.0

        async def timed(*args: Any, **options: Any) -> Any:
            nonlocal begun
            called = time.perf_counter()
            if claimed := await claim(*args, **options):
                begun = called
            return claimed

        claims.claim = timed  # type: ignore[method-assign]
        handle = rt.handle(run_id)
        await handle.signal("go")
        took = await past - begun
        await _parked(handle)
        return took


async def _parked(handle: cb.RunHandle) -> None:
    while True:
        if await handle.status() is cb.RunStatus.WAITING:
            return
        await asyncio.sleep(0.001)
