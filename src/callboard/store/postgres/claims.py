"""Claims on PostgreSQL."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from callboard.connections.postgres import Database
from callboard.domain.errors import LeaseLost, StoreUnavailable
from callboard.domain.event import Event, EventKind
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
from callboard.store.postgres.journal import read_events
from callboard.store.postgres.limits import Limits
from callboard.store.postgres.line import BY_INDEX, Line
from callboard.store.postgres.settles import Settle
from callboard.store.postgres.sql import statements
from callboard.store.postgres.workers import Workers
from callboard.store.postgres.writer import Writer
from callboard.store.rows import event_from, run_from

_SQL = statements("claims")
_SUSPECTS = _SQL["claim"].replace("deaths = 0", "deaths > 0")
_EVERYTHING = float("-inf")
_GLANCE = 1.0  # seconds for which a claim may begin where the last one stopped
_DOUBT = 60.0  # seconds after a cut connection in which runs may be ours without our knowing
_TIDY = 10.0  # seconds between two looks at queues that have run out


class PostgresClaims:
    """Workers and what they own. See callboard.store.claims.Claims for what each method promises."""

    def __init__(self, writer: Writer, database: Database) -> None:
        self._writer = writer
        self._database = database
        # A claim that a crash takes back is only a run that is ready again: its epoch never comes back (see
        # callboard_epoch), and the first row that the claim lets somebody write is committed after it. So no claim
        # waits for the disk.
        self._line = Line(database, BY_INDEX | {"enable_sort": "off", "synchronous_commit": "off"})
        self._workers = Workers(database, self._line)
        self._limits = Limits()
        self._floor: tuple[Any, float, float] | None = None
        self._mine: dict[int, int] = {}  # epochs of the runs that were handed out, by number
        self._doubtful = 0.0
        self._tidied = 0.0

    async def register(self, worker_id: str, at: float) -> None:
        await self._workers.register(worker_id, at)
        async with self._database.acquire() as db:  # connected and planned before the first run waits for it
            await db.fetch(_SQL["journals"], [], [], [])

    def beat(self, worker_id: str) -> None:
        self._workers.beat(worker_id)

    async def retire(self, worker_id: str) -> None:
        await self._workers.retire(worker_id)

    async def lose(self, worker_id: str) -> None:
        """As if the worker's process had died: others may take over. For tests in one process."""
        await self._workers.lose(worker_id)

    async def close(self) -> None:
        """Disconnects."""
        self._workers.close()
        await self._line.close()

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
        try:
            rows = await self._take(worker_id, list(flows), 1 if suspects else limit, at, suspects, list(labels))
            # The journals are read by later statements: one that claims does not see what was written in between.
            claimed = await self._load(rows)
        except BaseException:
            self._doubtful = time.monotonic() + _DOUBT
            raise
        for each in claimed:
            self._mine[each.claim.number] = each.claim.epoch
        return claimed

    def settle(self, claim: Claim, end: Park | Finish | Release | Renew) -> asyncio.Future[Settled]:
        done: asyncio.Future[Settled] = self._writer.submit(Settle(claim, end))
        done.add_done_callback(lambda future: self._forget(claim, future))
        return done

    async def wake_due(self, at: float, limit: int) -> int:
        async with self._line.use() as db:
            if time.monotonic() - self._tidied > _TIDY:
                self._tidied = time.monotonic()
                await db.execute(_SQL["clear_lanes"], at)
            status = await db.execute(_SQL["wake_due"], at, limit, AGEING, SHARE)
        self.look_anew()
        return int(status.rpartition(" ")[2])

    async def outlook(self, worker_id: str, flows: Sequence[str] | None = None) -> Outlook:
        async with self._line.use() as db:
            row = await db.fetchrow(_SQL["outlook"], worker_id, None if flows is None else list(flows))
        ready, suspects, due, ids, counters, workers, now = row
        return Outlook(ready, suspects, due, dict(zip(ids, counters, strict=True)), workers, now)

    async def backlog(self) -> Backlog:
        async with self._database.taken() as db:
            rows = await db.fetch(_SQL["backlog"])
        tenants = {tenant: count for tenant, count, _ in rows if tenant is not None}
        running, waiting = next((count, int(more)) for tenant, count, more in rows if tenant is None)
        oldest = min((since for tenant, _, since in rows if tenant is not None), default=None)
        return Backlog(sum(tenants.values()), running, waiting, oldest, tenants)

    async def take_over(self, worker_id: str, lease: float, max_deaths: int, at: float) -> Takeover:
        return await self._workers.take_over(worker_id, lease, max_deaths, at)

    async def workers(self) -> list[WorkerInfo]:
        return await self._workers.all()

    def look_anew(self) -> None:
        """The next claim looks at all ready runs, also at those before the place where the last one stopped."""
        self._floor = None

    async def _take(
        self, worker: str, flows: list[str], limit: int, at: float, suspects: bool, labels: list[str]
    ) -> list[Any]:
        if limit <= 0 or not flows:
            return []
        for last in (False, True):
            try:
                async with self._line.use() as db:
                    rows = await self._adopt(db, worker, at) if time.monotonic() < self._doubtful else []
                    if len(rows) < limit:
                        rows += await self._claim(db, worker, flows, limit - len(rows), at, suspects, labels)
                    return sorted(rows, key=lambda row: row[:2])  # RETURNING keeps no order
            except StoreUnavailable:
                self._doubtful = time.monotonic() + _DOUBT
                if last:
                    raise
        raise AssertionError("unreachable")

    async def _claim(
        self, db: Any, worker: str, flows: list[str], limit: int, at: float, suspects: bool, labels: list[str]
    ) -> list[Any]:
        await self._limits.refresh(db)
        if self._limits.counted:
            return await self._limits.claim(
                db, self._database, self._workers, worker, flows, limit, at, suspects, labels
            )
        paused = self._limits.tenants, self._limits.flows
        about = None if suspects else (tuple(flows), tuple(labels), *map(tuple, paused))
        statement = _SUSPECTS if suspects else _SQL["claim"]
        while True:
            floor = self._floor_for(about)
            rows = await db.fetch(statement, worker, at, limit, floor, flows, labels, *paused)
            if not rows and await self._workers.keep(db, worker):
                continue
            if about is not None:
                # Rows that were claimed leave their places in the index behind for as long as anybody's snapshot is
                # older; after a full batch the next one need not pass over them.
                full = len(rows) == limit
                self._floor = (about, max(row[0] for row in rows), self._since(floor)) if full else None
            if rows or floor == _EVERYTHING:
                return list(rows)

    def _floor_for(self, about: Any) -> float:
        if about is None or self._floor is None:
            return _EVERYTHING
        known, floor, since = self._floor
        return floor if known == about and time.monotonic() - since < _GLANCE else _EVERYTHING

    def _since(self, floor: float) -> float:
        """When all was last looked at: now, or when the look began that this claim went on with."""
        return time.monotonic() if floor == _EVERYTHING or self._floor is None else self._floor[2]

    async def _adopt(self, db: Any, worker: str, at: float) -> list[Any]:
        """Claims anew what a statement has claimed whose answer never came."""
        rows = await db.fetch(_SQL["mine"], worker)
        strays = [number for number, epoch in rows if self._mine.get(number) != epoch]
        return list(await db.fetch(_SQL["claim_these"], worker, at, strays)) if strays else []

    async def _load(self, rows: Sequence[Any]) -> list[Claimed]:
        if not rows:
            return []
        if all(row[-1] is not None and not row["inbox_seq"] for row in rows):
            return [_begun(row) for row in rows]
        for last in (False, True):
            try:
                async with self._database.acquire() as db:
                    return await _load(db, rows)
            except StoreUnavailable:
                if last:
                    raise
        raise AssertionError("unreachable")

    def _forget(self, claim: Claim, done: asyncio.Future[Settled]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        over = isinstance(error, LeaseLost) if error is not None else done.result().done
        if over and self._mine.get(claim.number) == claim.epoch:
            del self._mine[claim.number]


def _begun(row: Any) -> Claimed:
    """A run that nobody has claimed before, with its first event."""
    _, number, _, _, _, *values, digest, body = row
    run = run_from(values)
    event = Event(0, EventKind.STARTED, "", digest, int(run.created_at * 1e6), 0, body)
    return Claimed(Claim(run.id, run.tenant, number, run.epoch), run, [event], 0, [])


async def _load(db: Any, rows: Sequence[Any]) -> list[Claimed]:
    whole = [row for row in rows if row["fork_of"] is None]
    events: dict[int, list[Any]] = {row["number"]: [] for row in rows}
    found = await db.fetch(
        _SQL["journals"],
        [row["number"] for row in whole],
        [row["base_seq"] for row in whole],
        [row["tenant"] for row in whole],
    )
    for run, *values in found:
        events[run].append(event_from(*values))
    letters: dict[int, list[Letter]] = {}
    with_mail = [row["number"] for row in rows if row["inbox_seq"]]
    if with_mail:
        for run, seq, name, body in await db.fetch(_SQL["letters"], with_mail):
            letters.setdefault(run, []).append(Letter(seq, name, body))
    claimed = []
    for row in rows:
        _, number, inbox_seq, base, fork_of, *values, _, _ = row
        run = run_from(values)
        mail = letters.get(number, [])
        journal = events[number] if fork_of is None else await read_events(db, number, base - 1)
        seen = max(inbox_seq, mail[-1].seq) if mail else inbox_seq
        claimed.append(Claimed(Claim(run.id, run.tenant, number, run.epoch), run, journal, seen, mail))
    return claimed
