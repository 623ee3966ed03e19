"""A thousand readers, each of a run that has an event every second."""

import asyncio
from typing import Any

import callboard as cb
from bench.doors.flows import app, ticking
from bench.doors.orders import Found, Streams
from bench.doors.processes import Served, fresh, gateway, loading, worker
from bench.figure import Figure
from bench.places.place import Place, opened

READERS, SECONDS, SETTLE = 1_000, 10.0, 3.0
_SLOTS = READERS + 100
_TICKS = 60


async def streamed(place: Place, options: dict[str, Any]) -> dict[str, Figure]:
    """Memory for each reader, and how long after its event it hears: of a worker in another process, and in the
    door's own."""
    store = await fresh(place, app)
    async with gateway(store, **options) as door, opened(app, store, worker=False) as rt:
        runs = await _runs(rt)
        async with worker(store, _SLOTS):
            await _running(rt)
            apart, grown = await _read(door, runs)
        await _ended(rt, runs)
    async with (
        gateway(store, "--worker", "--concurrency", str(_SLOTS), key=door.key, **options) as door,
        opened(app, store, worker=False) as rt,
    ):
        runs = await _runs(rt)
        await _running(rt)
        here, _ = await _read(door, runs)
        await _ended(rt, runs)
    return {
        "streams_memory": Figure(grown / READERS / 1e3),
        "streams_p50": Figure(apart.p50["events"] * 1e3),
        "streams_p99": Figure(apart.p99["events"] * 1e3),
        "streams_here_p50": Figure(here.p50["events"] * 1e3),
        "streams_here_p99": Figure(here.p99["events"] * 1e3),
    }


async def _runs(rt: cb.Runtime) -> tuple[str, ...]:
    handles = await asyncio.gather(*[rt.start(ticking, _TICKS, priority=1) for _ in range(READERS)])
    return tuple(handle.id for handle in handles)


async def _running(rt: cb.Runtime) -> None:
    while (await rt.store.runs.counts(rt.settings.tenant)).get(cb.RunStatus.RUNNING, 0) < READERS:  # noqa: ASYNC110 - in another process
        await asyncio.sleep(0.05)


async def _ended(rt: cb.Runtime, runs: tuple[str, ...]) -> None:
    """So that nobody goes on with them."""
    await asyncio.gather(*[rt.handle(run_id).cancel("measured") for run_id in runs])


async def _read(door: Served, runs: tuple[str, ...]) -> tuple[Found, int]:
    async with loading(door) as load:
        before = door.memory()
        await load.begin(Streams(runs=runs, headers=door.headers, seconds=SECONDS, settle=SETTLE))
        opened_ = await load.word()
        grown = door.memory() - before
        found = await load.end()
    if opened_["open"] != READERS or found.counts.get("events", 0) < READERS * SECONDS / 2:
        raise RuntimeError(f"not every stream was open, or events are missing: {opened_}, {found.counts}")
    return found, grown
