"""A provider that bills what it is asked, and workers whose agents ask it under a budget and may be killed meanwhile.

The ledger is the provider's: a row a call, written before it answers, whatever becomes of who asked.
"""

import asyncio
import logging
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

import callboard as cb
from callboard.domain.message import Message, Role, Text
from callboard.domain.usage import Usage
from callboard.models import ModelRequest, ModelResponse
from callboard.models.info import ModelInfo, Price
from callboard.models.model import StreamPart, TextDelta
from callboard.runtime import Runtime, build
from callboard.settings import Settings
from tests.fleet.orders import ENGINE

PATIENCE = 90.0
OUTPUT = 1_000  # tokens that an answer may have, and that are reserved for it
PRICE = Price(1_000_000, 10_000_000, source="till")
_FORKS = multiprocessing.get_context("forkserver")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker of the till is told.

    Attributes:
        store: the database's URL.
        folder: where the ledger is.
        budgets: arguments of `app.budget`.
        killing: every so many calls that were billed, the process that made one is killed; 0 for never.
        latency: seconds that an answer takes.
    """

    store: str
    folder: str
    budgets: tuple[dict[str, Any], ...] = ()
    killing: int = 0
    latency: float = 0.0
    engine: dict[str, Any] = {}

    @property
    def settings(self) -> Settings:
        """Options of all processes."""
        return Settings(store=self.store, engine=msgspec.structs.replace(ENGINE, **self.engine))


class Ledger:
    """What the provider bills: a row a call."""

    def __init__(self, folder: str | Path) -> None:
        self._path = Path(folder) / "ledger.db"
        with self._open() as db:
            db.execute("CREATE TABLE IF NOT EXISTS bills (n INTEGER PRIMARY KEY, pid INT, micros INT, tokens INT)")

    def write(self, usage: Usage) -> int:
        """Bills a call; the how manyth it is."""
        with self._open() as db:
            row = (os.getpid(), usage.cost, usage.tokens)
            number = db.execute("INSERT INTO bills (pid, micros, tokens) VALUES (?, ?, ?)", row).lastrowid
        assert number is not None
        return number

    @property
    def calls(self) -> int:
        """How many were billed."""
        return self._sum("count(*)")

    @property
    def micros(self) -> int:
        """How much was billed, in micro-dollars."""
        return self._sum("coalesce(sum(micros), 0)")

    @property
    def tokens(self) -> int:
        """How many tokens were billed."""
        return self._sum("coalesce(sum(tokens), 0)")

    def _sum(self, what: str) -> int:
        with self._open() as db:
            found: int = db.execute(f"SELECT {what} FROM bills").fetchone()[0]  # noqa: S608 - our own words
        return found

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
        try:
            yield db
        finally:
            db.close()


class Provider:
    """A model that bills before it answers. What an answer costs hangs on the question alone."""

    def __init__(self, told: Told) -> None:
        self.name = "till"
        self.info = ModelInfo(name="till", provider="till", upstream="till", price=PRICE)
        self._told = told
        self._ledger = Ledger(told.folder)

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        """Bills, perhaps ends the process, answers."""
        said = request.messages[-1].text
        bare = Usage(len(said), 20 + random.Random(said).randrange(300))
        usage = msgspec.structs.replace(bare, cost=PRICE.of(bare))
        number = self._ledger.write(usage)
        await asyncio.sleep(self._told.latency)
        if self._told.killing and number % self._told.killing == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        yield TextDelta("done")
        yield ModelResponse(Message(Role.ASSISTANT, (Text("done"),)), usage, model="till", provider="till", price=PRICE)


def app_of(told: Told) -> cb.App:
    """An app with one agent, and a flow above it."""
    app = cb.App("till")
    for each in told.budgets:
        app.budget(**each)
    clerk = app.agent("clerk", model=Provider(told), max_output_tokens=OUTPUT)

    @app.flow
    async def ask(ctx: cb.Context, question: str) -> str:
        return str(await clerk.run(ctx, question))

    return app


def work(told: Told) -> None:
    """Executes runs until SIGTERM."""
    logging.basicConfig(filename=Path(told.folder, f"worker-{os.getpid()}.log"), level=logging.INFO)
    asyncio.run(_work(told))


async def _work(told: Told) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    rt = build(app_of(told), told.settings)
    await rt.open()
    await ended.wait()
    await rt.close()


class Till:
    """Workers in processes of their own, and a door.

    Attributes:
        told: what each worker is told.
        door: a runtime that executes nothing.
        ledger: what the provider billed.
        killed: how many workers have ended by a signal.
    """

    def __init__(self, told: Told, door: Runtime) -> None:
        self.told = told
        self.door = door
        self.ledger = Ledger(told.folder)
        self.killed = 0
        self._workers: list[Any] = []

    def start(self, count: int) -> None:
        """Starts workers."""
        for _ in range(count):
            process = _FORKS.Process(target=work, args=(self.told,), daemon=True)
            process.start()
            self._workers.append(process)

    async def finish(self, handles: list[cb.RunHandle]) -> list[Any]:
        """Waits until all have ended, and puts a new worker in the place of each that has died. Outputs and errors."""
        waiting = asyncio.gather(*(handle.result(timeout=PATIENCE) for handle in handles), return_exceptions=True)
        deadline = time.monotonic() + PATIENCE
        while not waiting.done():
            assert time.monotonic() < deadline, "it does not end"
            for process in [each for each in self._workers if not each.is_alive()]:
                self._workers.remove(process)
                self.killed += 1
                self.start(1)
            await asyncio.sleep(0.05)
        return list(await waiting)

    def end(self) -> None:
        """Kills all that are left."""
        for process in self._workers:
            process.kill()
        for process in self._workers:
            process.join(PATIENCE)


@asynccontextmanager
async def till(told: Told) -> AsyncIterator[Till]:
    """A till without workers yet."""
    async with cb.open(app_of(told), settings=told.settings, worker=False) as door:
        found = Till(told, door)
        try:
            yield found
        finally:
            found.end()


def reasons(outcomes: list[Any]) -> list[str]:
    """Why runs were refused; whoever ended otherwise is told."""
    found = []
    for each in outcomes:
        if isinstance(each, BaseException):
            assert isinstance(each, cb.RunFailed), each
            error = each.error
            assert isinstance(error, cb.LimitReached), error
            assert error.partial.keys() >= {"text", "turns", "usage"}
            found.append(f"{error.reason}: {error.detail['budget']} {error.detail['measure']}")
    return found
