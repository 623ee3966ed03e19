"""idle: what a fleet asks of the server when it has nothing to do, and how many of it stir when one run is started."""

import asyncio
import time

import callboard as cb
from bench.dispatch import app, echo
from bench.figure import Figure
from bench.places.place import Place, fleet, opened

WORKERS, SECONDS, SETTLE = 20, 10.0, 3.0
RUNS, EVERY = 250, 0.02  # runs one after the other, and the seconds between two


async def measure(place: Place) -> dict[str, Figure]:
    """Twenty workers in this process. Only where there is a server that others share."""
    if place.server is None:
        return {}
    figures = await _idle(place)
    idle = figures["idle_queries"].value
    figures["ring_queries"] = Figure(await _ring(place, "", idle))
    if place.redis is not None:
        figures["ring_redis_queries"] = Figure(await _ring(place, place.redis, idle))
    return figures


async def _idle(place: Place) -> dict[str, Figure]:
    assert place.server is not None
    store = place.store("idle")
    async with fleet(app, store, WORKERS):
        await asyncio.sleep(SETTLE)
        before, server, cpu = await place.server.transactions(store), place.server.cpu(), time.process_time()
        begun = time.perf_counter()
        await asyncio.sleep(SECONDS)
        took = time.perf_counter() - begun
        server, cpu = place.server.cpu() - server, time.process_time() - cpu
        await asyncio.sleep(1.5)  # what a session counted shows after a second
        queries = await place.server.transactions(store) - before
    return {
        "idle_queries": Figure(queries / (took + 1.5)),
        "idle_cpu": Figure(server / took * 100),
        "idle_client_cpu": Figure(cpu / took * 100),
    }


async def _ring(place: Place, dispatch: str, idle: float) -> float:
    """Transactions a run, over what an idle fleet needs in that time."""
    assert place.server is not None
    store = place.store("ring")
    async with (
        fleet(app, store, WORKERS, dispatch=dispatch),
        opened(app, store, dispatch=dispatch, worker=False) as rt,
    ):
        await asyncio.sleep(SETTLE)
        before, begun = await place.server.transactions(store), time.perf_counter()
        await asyncio.gather(*[_later(rt, number) for number in range(RUNS)])
        await asyncio.sleep(1.5)
        took = time.perf_counter() - begun
        return (await place.server.transactions(store) - before - idle * took) / RUNS


async def _later(rt: cb.Runtime, number: int) -> None:
    await asyncio.sleep(number * EVERY)
    await rt.run(echo, number)
