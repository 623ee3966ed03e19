"""Workers and claims on SQLite."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import apsw
import msgspec

from callboard.domain.codec import encode
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import RunStatus
from callboard.store.claims import (
    AGEING,
    SHARE,
    Backlog,
    Claim,
    Claimed,
    Finish,
    Outlook,
    Park,
    Release,
    Renew,
    Settled,
    Takeover,
    WorkerInfo,
)
from callboard.store.letter import Letter
from callboard.store.rows import event_from, run_from
from callboard.store.sqlite.costs import file_costs
from callboard.store.sqlite.journal import read_events
from callboard.store.sqlite.limits import choose
from callboard.store.sqlite.liveness import Liveness, boot_id
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.settles import Settle, tell_parent
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("claims")
_JOURNAL = statements("journal")
_INBOX = statements("inbox")
_RUNS = statements("runs")


class SqliteClaims:
    """Workers and what they own. See callboard.store.claims.Claims for what each method promises.

    Heartbeats compare only on this machine, in this boot, by its monotonic clock; no wall clock takes part.
    """

    def __init__(
        self, writer: Writer, reader: Reader, liveness: Liveness, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._live = liveness
        self._monotonic = monotonic
        self._boot = boot_id()
        self._started: dict[str, float] = {}

    async def register(self, worker_id: str, at: float) -> None:
        """Announces a worker."""
        self._live.hold(worker_id)
        self._started[worker_id] = at
        await self._writer.call(self._beat(worker_id))

    def beat(self, worker_id: str) -> None:
        """Records a heartbeat."""
        self._writer.tell(self._beat(worker_id))

    async def retire(self, worker_id: str) -> None:
        """The worker leaves."""

        def work(db: apsw.Connection) -> None:
            every(db, _SQL["hand_back"], (worker_id,))
            db.execute(_SQL["drop_worker"], (worker_id,))

        await self._writer.call(work)
        self._live.drop(worker_id)

    def lose(self, worker_id: str) -> None:
        """As if the worker's process had died: others may take over. For tests in one process."""
        self._live.drop(worker_id)

    async def claim(
        self,
        worker_id: str,
        flows: Sequence[str],
        limit: int,
        at: float,
        *,
        suspects: bool = False,
        labels: Sequence[str] = (),
    ) -> list[Claimed]:
        """Takes ready runs."""
        wanted = {
            "flows": msgspec.json.encode(flows).decode(),
            "labels": msgspec.json.encode(labels).decode(),
            "limit": 1 if suspects else limit,
            "suspects": suspects,
        }
        mine = self._row(worker_id)

        def work(db: apsw.Connection) -> list[tuple[Any, ...]]:
            every(db, _SQL["keep"], mine)
            chosen = choose(db, wanted)
            if chosen is None:
                return every(db, _SQL["claim"], {**wanted, "worker": worker_id, "at": at})
            return every(db, _SQL["claim_these"], {"numbers": chosen, "worker": worker_id, "at": at})

        rows: list[tuple[Any, ...]] = await self._writer.call(work)
        rows.sort(key=lambda row: row[:2])  # RETURNING keeps no order
        # The journals are read after the epochs were raised, and outside the write lock.
        return await self._reader.call(lambda db: _load(db, [row[1:] for row in rows])) if rows else []

    def settle(self, claim: Claim, end: Park | Finish | Release | Renew) -> asyncio.Future[Settled]:
        """Ends a claim."""
        return self._writer.submit(Settle(claim, end))

    async def wake_due(self, at: float, limit: int) -> int:
        """Makes runs ready whose time has come."""

        def work(db: apsw.Connection) -> int:
            db.execute(_SQL["clear_lanes"], (at,))
            return len(every(db, _SQL["wake_due"], (at, limit, AGEING, SHARE)))

        woken: int = await self._writer.call(work)
        return woken

    async def outlook(self, worker_id: str, flows: Sequence[str] | None = None) -> Outlook:
        """What there is to do."""
        wanted = None if flows is None else msgspec.json.encode(flows).decode()

        def work(db: apsw.Connection) -> Outlook:
            ready, suspects = one(db, _SQL["ready"], (wanted,))
            due, workers = one(db, _SQL["next_due"])
            return Outlook(ready, suspects, due, dict(every(db, _SQL["inboxes"], (worker_id,))), workers)

        return await self._reader.call(work)

    async def backlog(self) -> Backlog:
        """How much there is."""

        def work(db: apsw.Connection) -> Backlog:
            running, waiting = one(db, _SQL["at_work"])
            rows = every(db, _SQL["backlog"])
            tenants = {tenant: count for tenant, count, _ in rows}
            return Backlog(
                sum(tenants.values()), running, waiting, min((since for *_, since in rows), default=None), tenants
            )

        return await self._reader.call(work)

    async def take_over(self, worker_id: str, lease: float, max_deaths: int, at: float) -> Takeover:
        """Frees the runs of workers that are gone."""
        gone = [w.id for w in await self.workers() if w.id != worker_id and (not w.alive or w.beat_age > lease)]
        if not gone:
            return Takeover()

        def work(db: apsw.Connection) -> Takeover:
            ready: list[str] = []
            dead: list[str] = []
            tenants: list[str] = []
            for worker in gone:
                for number, run_id, deaths, tenant in every(db, _SQL["take_over"], (worker, at, AGEING)):
                    if deaths >= max_deaths:
                        ready += _bury(db, number, run_id, deaths, at)
                        dead.append(run_id)
                        tenants.append(tenant)
                    else:
                        ready.append(run_id)
                db.execute(_SQL["drop_worker"], (worker,))
            return Takeover(tuple(ready), tuple(dead), tuple(gone), tuple(tenants))

        done: Takeover = await self._writer.call(work)
        for worker in gone:
            if not self._live.alive(worker):  # a stalled one may come back: its lock file stays
                self._live.drop(worker)
        return done

    async def workers(self) -> list[WorkerInfo]:
        """All workers known."""
        rows = await self._reader.call(lambda db: every(db, _SQL["workers"]))
        now = self._monotonic()
        return [
            WorkerInfo(wid, pid, host, started, boot == self._boot and self._live.alive(wid), now - beat, running)
            for wid, pid, host, boot, started, beat, running in rows
        ]

    def _beat(self, worker_id: str) -> Callable[[apsw.Connection], object]:
        row = self._row(worker_id)
        return lambda db: every(db, _SQL["beat"], row)

    def _row(self, worker_id: str) -> tuple[Any, ...]:
        started = self._started.setdefault(worker_id, time.time())
        return worker_id, os.getpid(), socket.gethostname(), self._boot, started, self._monotonic()


def _load(db: apsw.Connection, rows: Sequence[tuple[Any, ...]]) -> list[Claimed]:
    numbers = msgspec.json.encode([row[0] for row in rows]).decode()
    events: dict[int, list[Any]] = {row[0]: [] for row in rows}
    for run, *columns in db.execute(_JOURNAL["load"], (numbers,)):
        events[run].append(event_from(*columns))
    letters: dict[int, list[Letter]] = {}
    if any(row[1] for row in rows):
        for run, seq, name, body in db.execute(_INBOX["letters_of"], (numbers,)):
            letters.setdefault(run, []).append(Letter(seq, name, body))
    claimed = []
    for row in rows:
        number, inbox_seq, fork_of, base = row[:4]
        run = run_from(row[4:])
        mail = letters.get(number, [])
        claimed.append(
            Claimed(
                Claim(run.id, run.tenant, number, run.epoch),
                run,
                read_events(db, number, base - 1) if fork_of is not None or base else events[number],
                max(inbox_seq, mail[-1].seq) if mail else inbox_seq,
                mail,
            )
        )
    return claimed


def _bury(db: apsw.Connection, number: int, run_id: str, deaths: int, at: float) -> list[str]:
    """Gives a run up: dead letter, with the reason in its row and in its journal. Returns parents it made ready."""
    ready: list[str] = []
    error = encode(
        ErrorRecord(
            "worker_deaths",
            "bug",
            f"{deaths} workers in a row died while they ran this without getting anything done; "
            f"find out why, then: callboard runs requeue {run_id}",
        )
    )
    (last,) = one(db, _RUNS["last_seq"], (number,))
    db.execute(_RUNS["append_free"], (number, last + 1, EventKind.RUN_DEAD, "", int(at * 1e6), error))
    ended = every(db, _SQL["bury"], (number, at, error))
    file_costs(db, (number,))
    notice = encode({"run_id": run_id, "status": RunStatus.DEAD, "error": msgspec.Raw(error)})
    for _, parent, path, detached in ended:
        if parent is not None and not detached:
            ready += tell_parent(db, parent, path, notice, at)
    db.execute(_SQL["withdraw"], (number,))
    return ready
