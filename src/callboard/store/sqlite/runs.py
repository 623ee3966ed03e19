"""Rows of runs on SQLite."""

import asyncio
from collections.abc import Sequence

import apsw
import msgspec

from callboard.domain.codec import encode
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Outcome, Run, RunStatus
from callboard.store.claims import AGEING
from callboard.store.forks import check_fork
from callboard.store.rows import outcome_from, run_from
from callboard.store.runs import NewRun, Purge, Search, Started, Totals
from callboard.store.sqlite import search as searches
from callboard.store.sqlite.costs import purge_costs
from callboard.store.sqlite.journal import read_events
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.requeue import requeue
from callboard.store.sqlite.sessions import purge_sessions
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.starts import Start, not_found
from callboard.store.sqlite.writer import Writer

_SQL = statements("runs")
_error = msgspec.json.Decoder(ErrorRecord)


class SqliteRuns:
    """Rows of runs. See callboard.store.runs.Runs for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    def start(self, new: NewRun) -> asyncio.Future[Started]:
        """Starts a run, or finds the one that its key made."""
        return self._writer.submit(Start(new))

    async def get(self, tenant: str, run_id: str) -> Run:
        """One run's row."""
        return await self._reader.call(lambda db: _get(db, tenant, run_id))

    async def rows(self, tenant: str, run_ids: Sequence[str]) -> dict[str, Run]:
        """Many runs' rows."""
        wanted = msgspec.json.encode(run_ids).decode()
        rows = await self._reader.call(lambda db: every(db, _SQL["rows"], (tenant, wanted)))
        return {run.id: run for run in map(run_from, rows)}

    async def by_key(self, tenant: str, flow: str, keys: Sequence[str]) -> dict[str, str]:
        """Runs by their keys."""
        wanted = msgspec.json.encode(keys).decode()
        return dict(await self._reader.call(lambda db: every(db, _SQL["by_keys"], (tenant, flow, wanted))))

    async def outcomes(self, tenant: str, run_ids: Sequence[str]) -> dict[str, Outcome]:
        """How runs ended."""
        wanted = msgspec.json.encode(run_ids).decode()
        rows = await self._reader.call(lambda db: every(db, _SQL["outcomes"], (tenant, wanted)))
        return {run_id: outcome_from(status, error, body) for run_id, status, error, body in rows}

    async def find(
        self,
        tenant: str,
        *,
        status: RunStatus | None = None,
        flow: str | None = None,
        labels: dict[str, str] | None = None,
        parent: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Run]:
        """A page of runs."""
        wanted = {
            "tenant": tenant,
            "status": status,
            "flow": flow,
            "labels": msgspec.json.encode(labels).decode() if labels else None,
            "parent": parent,
            "before": before,
            "limit": limit,
        }
        statement = _SQL["find" if parent is None else "find_children"]
        rows = await self._reader.call(lambda db: every(db, statement, wanted))
        return [run_from(row) for row in rows]

    async def search(self, tenant: str, search: Search, *, before: str | None = None, limit: int = 50) -> list[Run]:
        """A page of what is found."""
        return await self._reader.call(lambda db: searches.page(db, tenant, search, before, limit))

    async def totals(self, tenant: str, search: Search) -> Totals:
        """What is found, added up."""
        return await self._reader.call(lambda db: searches.totals(db, tenant, search))

    async def reach(self, tenant: str, search: Search, *, before: str | None = None) -> str | None:
        """Where a search ends that looks at the newest only."""
        return await self._reader.call(lambda db: searches.reach(db, tenant, search, before))

    async def counts(self, tenant: str) -> dict[RunStatus, int]:
        """Runs by status."""
        rows = await self._reader.call(lambda db: every(db, _SQL["counts"], (tenant,)))
        return {RunStatus(status): n for status, n in rows}

    async def requeue(self, tenant: str, run_id: str, reason: str, at: float) -> Run:
        """Makes a blocked, failed or dead run ready."""

        def work(db: apsw.Connection) -> Run:
            requeue(db, tenant, run_id, reason, at)
            return _get(db, tenant, run_id)

        run: Run = await self._writer.call(work)
        return run

    async def fork(self, tenant: str, run_id: str, at_seq: int, new_id: str, at: float) -> Run:
        """A run that begins as this one did."""

        def work(db: apsw.Connection) -> Run:
            number = _number(db, tenant, run_id)
            base = check_fork(run_id, at_seq, read_events(db, number))
            (new,) = one(db, _SQL["take_numbers"], (1,))
            db.execute(_SQL["fork"], (new, new_id, at_seq, at, number, AGEING, base))
            forked = {"from": run_id, "at": at_seq}
            db.execute(_SQL["append_free"], (new, at_seq + 1, EventKind.FORKED, "", int(at * 1e6), encode(forked)))
            return _get(db, tenant, new_id)

        run: Run = await self._writer.call(work)
        return run

    async def purge(
        self, tenant: str, *, before: float, statuses: Sequence[RunStatus], batch: int, blobs_before: float
    ) -> Purge:
        """Removes old runs."""

        def work(db: apsw.Connection) -> Purge:
            wanted = msgspec.json.encode(statuses).decode()
            numbers = [n for (n,) in db.execute(_SQL["purgeable"], (tenant, before, wanted, batch))]
            events = 0
            for number in numbers:
                before_count = db.total_changes()
                db.execute(_SQL["purge_events"], (number,))
                events += db.total_changes() - before_count
                for name in ("purge_inbox", "purge_approvals", "purge_account", "purge_deliveries", "purge_run"):
                    db.execute(_SQL[name], (number,))
                purge_costs(db, number)
            before_count = db.total_changes()
            db.execute(_SQL["purge_blobs"], (tenant, blobs_before, batch))
            blobs = db.total_changes() - before_count
            return Purge(len(numbers), events, blobs, purge_sessions(db, tenant, before, batch))

        done: Purge = await self._writer.call(work)
        return done


def _get(db: apsw.Connection, tenant: str, run_id: str) -> Run:
    row = one(db, _SQL["get"], (tenant, run_id))
    if row is None:
        raise not_found(run_id)
    return run_from(row)


def _number(db: apsw.Connection, tenant: str, run_id: str) -> int:
    row = one(db, _SQL["number"], (tenant, run_id))
    if row is None:
        raise not_found(run_id)
    number: int = row[0]
    return number
