"""The constants, measured: each kind of work where many go together, and where one goes alone."""

import asyncio
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

import asyncpg
import msgspec

from bench import agent_loop, dispatch, steps
from bench.capacity.checking import check
from bench.capacity.costs import Costs, Group, Idle, Start, Unit, Wake
from bench.other_process import working
from bench.places.place import fleet, opened
from bench.places.postgres import PostgresPlace, postgres_place

RUNS, STEPS, ALONE, TIMES = 200, 50, 400, 5
TRIVIAL, LONE = 4_000, 300
WORKERS, SECONDS, SETTLE = 20, 10.0, 3.0
RINGS, EVERY = 400, 0.02
CHECKS = ((20.0, 10, 0.5, 2), (60.0, 20, 0.3, 2))  # runs a second, steps, latency, workers
CHECK_SECONDS = 30.0


class Spent(msgspec.Struct):
    """What something took: processor seconds of this process, of others, of the server; bytes of log; seconds."""

    own: float
    others: float
    server: float
    log: float
    took: float

    def each(self, count: float) -> "Spent":
        """The same for one of so many."""
        return Spent(*(value / count for value in msgspec.structs.astuple(self)))


async def measure() -> Costs:
    """All of them, on a server of our own; some minutes. Progress goes to the error output."""
    with postgres_place() as place:
        _say("steps")
        step, group = await _steps(place)
        _say("turns of an agent")
        turn = await _turns(place)
        _say("runs")
        run, start = await _runs(place)
        per = STEPS  # each run that carried the steps cost something too
        step = msgspec.structs.replace(
            step,
            worker=step.worker - (run.worker + start.door) / per,
            server=step.server - run.server / per,
            log=step.log - run.log / per,
            kept=step.kept - run.kept / per,
            rows=step.rows - run.rows / per,
        )
        per = agent_loop.CALLS
        turn = msgspec.structs.replace(
            turn,
            worker=turn.worker - (run.worker + start.door) / per,
            server=turn.server - run.server / per,
            log=turn.log - run.log / per,
            kept=turn.kept - run.kept / per,
            rows=turn.rows - run.rows / per,
        )
        _say("idle workers")
        idle = await _idle(place)
        _say("rings")
        wake = await _wake(place, "", idle)
        wake_redis = wake if place.redis is None else await _wake(place, place.redis, idle)
        checks = []
        for rate, count, latency, workers in CHECKS:
            _say(f"a load of {rate:g} runs a second")
            checks.append(await check(place, rate, count, latency, workers, CHECK_SECONDS))
        machine = f"{os.cpu_count()} cores, {place.server.version}, Python {platform.python_version()}"
    return Costs(machine, step, turn, run, group, start, idle, wake, wake_redis, tuple(checks))


async def _steps(place: PostgresPlace) -> tuple[Unit, Group]:
    store = place.store("steps")
    async with opened(steps.app, store) as rt:

        async def many() -> None:
            await asyncio.gather(*[rt.run(steps.stepping, STEPS) for _ in range(RUNS)])

        async def alone() -> None:
            await rt.run(steps.stepping, ALONE)

        await many()
        together = await _median(place, many, RUNS * STEPS)
        single = await _median(place, alone, ALONE)
        kept, rows = await _kept(place, store, many)
    share = 1 - 1 / RUNS  # of a transaction that a step saves by company
    unit = Unit(
        worker=together.own,
        server=together.server,
        log=together.log,
        kept=kept / (RUNS * STEPS),
        rows=rows / (RUNS * STEPS),
        writes=1.0,
    )
    group = Group(
        worker=max(0.0, single.own - together.own) / share,
        server=max(0.0, single.server - together.server) / share,
        log=max(0.0, single.log - together.log) / share,
        seconds=single.took - single.own,
    )
    return unit, group


async def _turns(place: PostgresPlace) -> Unit:
    store = place.store("turns")
    count = agent_loop.RUNS * agent_loop.CALLS
    async with opened(agent_loop.app, store) as rt:

        async def many() -> None:
            await asyncio.gather(*[rt.run(agent_loop.agent, "hello") for _ in range(agent_loop.RUNS)])

        await many()
        spent = await _median(place, many, count)
        kept, rows = await _kept(place, store, many)
    # A turn's writes are those of its model call and of its tool call.
    return Unit(
        spent.own, spent.server, spent.log, kept=kept / count, rows=rows / count, writes=max(1.0, round(rows / count))
    )


async def _runs(place: PostgresPlace) -> tuple[Unit, Start]:
    """Runs without a step, started here and executed by another process."""
    store = place.store("runs")
    async with opened(dispatch.app, store, worker=False) as rt, working("dispatch", store) as worker:

        async def many() -> None:
            await asyncio.gather(*[rt.run(dispatch.echo, number) for number in range(TRIVIAL)])

        async def alone() -> None:
            for number in range(LONE):
                await rt.run(dispatch.echo, number)

        await many()
        together = await _median(place, many, TRIVIAL, worker.cpu)
        single = await _median(place, alone, LONE, worker.cpu)
        kept, rows = await _kept(place, store, many)
    run = Unit(together.others, together.server, together.log, kept=kept / TRIVIAL, rows=rows / TRIVIAL, writes=3.0)
    start = Start(
        door=together.own,
        lone_door=max(0.0, single.own - together.own),
        lone_worker=max(0.0, single.others - together.others),
        lone_server=max(0.0, single.server - together.server),
        lone_log=max(0.0, single.log - together.log),
        seconds=single.took,
    )
    return run, start


async def _idle(place: PostgresPlace) -> Idle:
    store = place.store("idle")
    async with fleet(dispatch.app, store, WORKERS):
        await asyncio.sleep(SETTLE)
        before = await place.server.transactions(store)
        spent = await _spent(place, lambda: asyncio.sleep(SECONDS), _nothing)
        await asyncio.sleep(1.5)  # what a session counted shows after a second
        transactions = (await place.server.transactions(store) - before) / (spent.took + 1.5)
        connections = await place.server.connections(store)
    each = spent.each(WORKERS * spent.took)
    return Idle(each.own, each.server, transactions / WORKERS, connections / WORKERS)


async def _wake(place: PostgresPlace, bell: str, idle: Idle) -> Wake:
    """What a fleet takes more than a single worker for the same lone starts."""
    few, many = await _rings(place, bell, 1), await _rings(place, bell, WORKERS)
    further = WORKERS - 1
    waiting = few.took * further
    return Wake(
        worker=max(0.0, many.own - few.own - waiting * idle.worker) / (RINGS * further),
        server=max(0.0, many.server - few.server - waiting * idle.server) / (RINGS * further),
    )


async def _rings(place: PostgresPlace, bell: str, workers: int) -> Spent:
    store = place.store("rings")
    async with (
        fleet(dispatch.app, store, workers, dispatch=bell),
        opened(dispatch.app, store, dispatch=bell, worker=False) as rt,
    ):

        async def later(number: int) -> None:
            await asyncio.sleep(number * EVERY)
            await rt.run(dispatch.echo, number)

        async def all_of_them() -> None:
            await asyncio.gather(*[later(number) for number in range(RINGS)])

        await asyncio.sleep(SETTLE)
        return await _spent(place, all_of_them, _nothing)


async def _median(
    place: PostgresPlace, work: Callable[[], Awaitable[Any]], count: int, others: Callable[[], float] | None = None
) -> Spent:
    """What one of so many takes; of several rounds, each figure's median."""
    rounds = [(await _spent(place, work, others or _nothing)).each(count) for _ in range(TIMES)]
    columns = zip(*(msgspec.structs.astuple(each) for each in rounds), strict=True)
    return Spent(*(median(column) for column in columns))


async def _spent(place: PostgresPlace, work: Callable[[], Awaitable[Any]], others: Callable[[], float]) -> Spent:
    log, server, other = await place.server.log_bytes(), place.server.cpu(), others()
    own, begun = time.process_time(), time.perf_counter()
    await work()
    took, own = time.perf_counter() - begun, time.process_time() - own
    server, other = place.server.cpu() - server, others() - other
    return Spent(own, other, server, await place.server.log_bytes() - log, took)


async def _kept(place: PostgresPlace, store: str, work: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """Bytes and rows of the journal that stay behind. The space of rows that were replaced is filled again by
    the work before, so that only what grows is counted."""
    bytes_before, rows_before = await place.settled_bytes(store), await _rows(store)
    for _ in range(3):
        await work()
    kept = await place.settled_bytes(store) - bytes_before
    return kept / 3, (await _rows(store) - rows_before) / 3


async def _rows(store: str) -> int:
    db = await asyncpg.connect(store)
    try:
        return int(await db.fetchval("SELECT count(*) FROM events"))
    finally:
        await db.close()


def _nothing() -> float:
    return 0.0


def _say(what: str) -> None:
    print(f"measuring {what} …", file=sys.stderr, flush=True)
