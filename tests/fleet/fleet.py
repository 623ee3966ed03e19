"""Starts worker processes, hurts them, waits for runs, and lets no process outlive its test."""

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

import callboard as cb
from callboard.domain.errors import CallboardError
from callboard.domain.run import Run
from callboard.runtime import ApprovalStatus
from tests.fleet.orders import Orders
from tests.fleet.town import TABLES, town
from tests.fleet.worker import work

PATIENCE = 90.0  # seconds for what must happen, on a machine that others use too
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.fleet.worker", "callboard.store.postgres", "callboard.dispatch.postgres",
                               "callboard.dispatch.redis_streams", "callboard.streams.redis",
                               "callboard.resilience.redis"])  # fmt: skip


class Worker:
    """One worker process."""

    def __init__(self, process: ForkServerProcess, folder: Path) -> None:
        self._process = process
        self._folder = folder
        assert process.pid is not None
        self.pid = process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is there, stopped or not."""
        return self._process.is_alive()

    @property
    def working(self) -> bool:
        """Whether it has begun to claim."""
        return (self._folder / f"working-{self.pid}").exists()

    @property
    def id(self) -> str:
        """Its name in the store."""
        return (self._folder / f"working-{self.pid}").read_text()

    @property
    def stopped_itself(self) -> bool:
        """Whether it has come to the commit after which it was to stop."""
        return (self._folder / f"stopped-{self.pid}").exists()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal; nothing happens if it has died."""
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and it is gone when this returns."""
        self.send(signal.SIGKILL)
        self._process.join(PATIENCE)

    async def ended(self) -> int:
        """Waits for its end; its exit code, negative for a signal."""
        await until(lambda: not self.alive, "the worker goes on")
        assert self._process.exitcode is not None
        return self._process.exitcode

    def log(self) -> str:
        """What it had to say."""
        path = self._folder / f"worker-{self.pid}.log"
        return path.read_text() if path.exists() else ""


class Fleet:
    """The workers of one test, and a door to their store.

    Attributes:
        orders: what every worker is told, if nothing else is said.
        workers: all that were started.
        door: a runtime that executes nothing; its store's URL is never that of a proxy.
        direct: the database's own URL.
    """

    def __init__(self, orders: Orders, direct: str, door: cb.Runtime) -> None:
        self.orders = orders
        self.direct = direct
        self.door = door
        self.app = town(orders.outside, suffixes=orders.suffixes)
        self.workers: list[Worker] = []
        self._keys = itertools.count()

    def start(self, **orders: Any) -> Worker:
        """Starts one more worker, with orders of its own."""
        told = msgspec.structs.replace(self.orders, **orders)
        process = _FORKS.Process(target=work, args=(told,), daemon=True)
        process.start()
        self.workers.append(Worker(process, Path(told.folder)))
        return self.workers[-1]

    async def working(self, count: int, **orders: Any) -> list[Worker]:
        """Starts so many workers and waits until all claim."""
        started = [self.start(**orders) for _ in range(count)]
        await until(lambda: all(worker.working or not worker.alive for worker in started), "workers do not begin")
        assert all(worker.working for worker in started), "\n".join(worker.log() for worker in started)
        return started

    async def begin(self, flow: str, inputs: Iterable[Any], **options: Any) -> list[cb.RunHandle]:
        """Starts a run for each input. A server that is away is waited for."""
        starts = [partial(self.door.start, flow, given, key=f"key {next(self._keys)}", **options) for given in inputs]
        return [await patiently(start) for start in starts]

    async def results(self, handles: Iterable[cb.RunHandle]) -> list[Any]:
        """The outputs of runs, in order."""
        return await asyncio.gather(*(result(handle) for handle in handles))

    async def row(self, sql: str, *arguments: Any) -> Any:
        """The first row of a statement, asked of the database itself."""
        return (await self.rows(sql, *arguments))[0]

    async def rows(self, sql: str, *arguments: Any) -> list[Any]:
        """The rows of a statement, asked of the database itself."""
        db = await asyncpg.connect(self.direct)
        try:
            return list(await db.fetch(sql, *arguments))
        finally:
            await db.close()

    async def until_row(self, sql: str, *arguments: Any, patience: float = PATIENCE) -> Any:
        """Waits until a statement has a row, and returns the first."""
        deadline = time.monotonic() + patience
        while not (found := await self.rows(sql, *arguments)):
            assert time.monotonic() < deadline, f"no row came: {sql}"
            await asyncio.sleep(0.05)
        return found[0]

    def end(self) -> None:
        """Kills all that are left."""
        for worker in self.workers:
            worker.send(signal.SIGKILL)
        for worker in self.workers:
            worker.kill()


@asynccontextmanager
async def fleet(orders: Orders, *, direct: str | None = None, door: str | None = None) -> AsyncIterator[Fleet]:
    """A fleet without workers yet. `direct`: the database's own URL, if `orders.store` leads through a proxy;
    `door`: Redis' own."""
    own = orders.store if direct is None else direct
    settings = msgspec.structs.replace(
        orders.settings, store=own, dispatch=orders.dispatch if door is None else door, direct=""
    )
    app = town(orders.outside, suffixes=orders.suffixes)
    async with cb.open(app, settings=settings, worker=False) as runtime:
        found = Fleet(orders, own, runtime)
        for table in TABLES:
            await found.rows(table)
        try:
            yield found
        finally:
            found.end()


async def people(door: cb.Runtime) -> None:
    """Approve whatever is asked, once each, for ever."""
    decided: set[str] = set()
    while True:
        with contextlib.suppress(CallboardError):
            for each in await door.store.approvals.find("default", status=ApprovalStatus.OPEN):
                if each.id not in decided:
                    await door.commands.decide("default", each.id, ApprovalStatus.APPROVED, by="Mia")
                    decided.add(each.id)
        await asyncio.sleep(0.05)


@asynccontextmanager
async def attended(door: cb.Runtime) -> AsyncIterator[None]:
    """People are there to be asked."""
    task = asyncio.create_task(people(door))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def patiently(work: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Does it again while the store cannot be reached. Only for what may be done twice."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return await work()
        except CallboardError as error:
            if error.code != "store_unavailable" or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


async def result(handle: cb.RunHandle) -> Any:
    """A run's output, also if the store is away for a while."""
    return await patiently(lambda: handle.result(timeout=PATIENCE))


async def run_of(handle: cb.RunHandle) -> Run:
    """A run's row, also if the store is away for a while."""
    found: Run = await patiently(handle.run)
    return found


async def until(what: Callable[[], Any], why: str, seconds: float = PATIENCE) -> Any:
    """Waits until something is true, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, why
        await asyncio.sleep(0.02)
    return found
