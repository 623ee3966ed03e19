"""Who is alive in a fleet, by the database's own clock, and what becomes of those who are not."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.connections.postgres import Database
from callboard.domain.codec import encode
from callboard.domain.errors import StoreError
from callboard.domain.event import Event, EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import RunStatus
from callboard.store.claims import AGEING, Takeover, WorkerInfo
from callboard.store.letter import CHILD
from callboard.store.postgres.group import Group, columns, ready
from callboard.store.postgres.line import Line
from callboard.store.postgres.sql import statements

_SQL = statements("workers")


class Workers:
    """The rows of workers. Times of day take no part: a beat is as old as the database says.

    Args:
        database: where they are.
        line: for beats, which wait for nobody.
    """

    def __init__(self, database: Database, line: Line) -> None:
        self._database = database
        self._line = line
        self._started: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beating: dict[str, asyncio.Task[None]] = {}

    async def register(self, worker_id: str, at: float) -> None:
        """Announces a worker."""
        self._loop = asyncio.get_running_loop()
        self._started[worker_id] = at
        async with self._line.use() as db:
            await db.execute(_SQL["beat"], *self._row(worker_id))

    def beat(self, worker_id: str) -> None:
        """Records a heartbeat, soon. From any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and the worker with it
                self._loop.call_soon_threadsafe(self._beat_soon, worker_id)

    async def keep(self, db: Any, worker_id: str) -> bool:
        """Sees to it that a worker has a row; True when it had none."""
        return bool(await db.execute(_SQL["keep"], *self._row(worker_id)) == "INSERT 0 1")

    async def lose(self, worker_id: str) -> None:
        """As if the worker's process had died long ago."""
        async with self._line.use() as db:
            await db.execute(_SQL["lose"], worker_id)

    async def retire(self, worker_id: str) -> None:
        """The worker leaves; what it still has is handed back."""
        if (task := self._beating.pop(worker_id, None)) is not None:
            task.cancel()
        async with self._database.transaction() as db:
            await db.execute(_SQL["drop"], worker_id)
            mine = [row[0] for row in await db.fetch(_SQL["lock_mine"], worker_id)]
            if mine:
                await db.execute(_SQL["hand_back"], mine)

    async def take_over(self, worker_id: str, lease: float, max_deaths: int, at: float) -> Takeover:
        """Frees the runs of workers that are gone."""
        async with self._line.use() as db:
            gone = [row[0] for row in await db.fetch(_SQL["gone"], worker_id, lease)]
        if not gone:
            return Takeover()
        async with self._database.transaction() as db:
            gone = [row[0] for row in await db.fetch(_SQL["lock_gone"], gone, lease)]
            # The rows are locked first: what is read by the next statement is all that their owners ever wrote.
            numbers = [row[0] for row in await db.fetch(_SQL["lock_runs"], gone)]
            taken = await db.fetch(_SQL["take_over"], numbers, at, AGEING) if numbers else []
            buried = [row for row in taken if row[2] >= max_deaths]
            woken = await _bury(db, buried, at) if buried else ()
            dropped = [row[0] for row in await db.fetch(_SQL["drop_gone"], gone)]
        return Takeover(
            tuple(row[1] for row in taken if row[2] < max_deaths) + woken,
            tuple(row[1] for row in buried),
            tuple(sorted(dropped)),
            tuple(row[3] for row in buried),
        )

    async def all(self) -> list[WorkerInfo]:
        """All workers known."""
        async with self._database.taken() as db:
            return [WorkerInfo(*row) for row in await db.fetch(_SQL["all"])]

    def close(self) -> None:
        """No more beats."""
        for task in self._beating.values():
            task.cancel()
        self._beating.clear()

    def _beat_soon(self, worker_id: str) -> None:
        before = self._beating.get(worker_id)
        if before is None or before.done():
            self._beating[worker_id] = asyncio.get_running_loop().create_task(self._beat(worker_id))

    async def _beat(self, worker_id: str) -> None:
        with contextlib.suppress(StoreError):  # the next beat tries again, and claims say aloud what is wrong
            async with self._line.use() as db:
                await db.execute(_SQL["beat"], *self._row(worker_id))

    def _row(self, worker_id: str) -> tuple[str, int, str, float]:
        started = self._started.setdefault(worker_id, time.time())
        return worker_id, os.getpid(), socket.gethostname(), started


async def _bury(db: Any, rows: Sequence[Any], at: float) -> tuple[str, ...]:
    """Gives runs up: dead letters, with the reason in row and journal. Returns parents that became ready by it."""
    group = Group(db)
    dead: list[tuple[int, bytes]] = []
    notices: list[tuple[int, str, str, bytes]] = []
    for number, run_id, deaths, tenant, parent, path, detached, last in rows:
        error = encode(
            ErrorRecord(
                "worker_deaths",
                "bug",
                f"{deaths} workers in a row died while they ran this without getting anything done; "
                f"find out why, then: callboard runs requeue {run_id}",
            )
        )
        group.event(
            number, Event((-1 if last is None else last) + 1, EventKind.RUN_DEAD, "", b"", int(at * 1e6), 0, error)
        )
        group.withdraw(number)
        dead.append((number, error))
        if parent is not None and not detached:
            notices.append((parent, tenant, path, _notice(run_id, error)))
    await db.execute(_SQL["bury"], *columns(dead), at)
    await group.lock([parent for parent, *_ in notices], (), (), ())
    told = [
        run
        for parent, tenant, path, notice in notices
        if (run := group.runs.get(parent)) is not None
        and run.tenant == tenant
        and group.letter(run, f"{CHILD}{path}", notice, at)
    ]
    await group.write()
    return ready(dict.fromkeys(told))


def _notice(run_id: str, error: bytes) -> bytes:
    return encode({"run_id": run_id, "status": RunStatus.DEAD, "error": msgspec.Raw(error)})
