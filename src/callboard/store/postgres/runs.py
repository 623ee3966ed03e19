"""Rows of runs on PostgreSQL."""

from collections.abc import Awaitable, Sequence
from typing import Any

import msgspec

from callboard.connections.postgres import Database
from callboard.domain.codec import encode
from callboard.domain.errors import StoreError
from callboard.domain.event import EventKind
from callboard.domain.run import Outcome, Run, RunStatus
from callboard.store.claims import AGEING
from callboard.store.forks import check_fork
from callboard.store.postgres import search as searches
from callboard.store.postgres.costs import purge_costs
from callboard.store.postgres.journal import read_events
from callboard.store.postgres.requeue import requeue
from callboard.store.postgres.sessions import purge_sessions
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import Start, not_found
from callboard.store.postgres.writer import Writer
from callboard.store.rows import outcome_from, run_from
from callboard.store.runs import NewRun, Purge, Search, Started, Totals

_SQL = statements("runs")


class PostgresRuns:
    """Rows of runs. See callboard.store.runs.Runs for what each method promises."""

    def __init__(self, writer: Writer, database: Database) -> None:
        self._writer = writer
        self._database = database

    def start(self, new: NewRun) -> Awaitable[Started]:
        return self._writer.submit(Start(new))

    async def get(self, tenant: str, run_id: str) -> Run:
        async with self._database.reading(tenant) as db:
            return await _get(db, tenant, run_id)

    async def rows(self, tenant: str, run_ids: Sequence[str]) -> dict[str, Run]:
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["rows"], tenant, list(dict.fromkeys(run_ids)))
        return {run.id: run for run in map(run_from, rows)}

    async def by_key(self, tenant: str, flow: str, keys: Sequence[str]) -> dict[str, str]:
        async with self._database.reading(tenant) as db:
            return dict(await db.fetch(_SQL["by_keys"], tenant, flow, list(keys)))

    async def outcomes(self, tenant: str, run_ids: Sequence[str]) -> dict[str, Outcome]:
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["outcomes"], tenant, list(run_ids))
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
        wanted = msgspec.json.encode(labels).decode() if labels else None
        values = [tenant, status, flow, wanted, before, limit]
        async with self._database.reading(tenant) as db:
            if parent is None:
                rows = await db.fetch(_SQL["find"], *values)
            else:
                rows = await db.fetch(_SQL["find_children"], *values, parent)
        return [run_from(row) for row in rows]

    async def search(self, tenant: str, search: Search, *, before: str | None = None, limit: int = 50) -> list[Run]:
        async with self._database.reading(tenant) as db:
            return await searches.page(db, tenant, search, before, limit)

    async def totals(self, tenant: str, search: Search) -> Totals:
        async with self._database.reading(tenant) as db:
            return await searches.totals(db, tenant, search)

    async def reach(self, tenant: str, search: Search, *, before: str | None = None) -> str | None:
        async with self._database.reading(tenant) as db:
            return await searches.reach(db, tenant, search, before)

    async def counts(self, tenant: str) -> dict[RunStatus, int]:
        async with self._database.reading(tenant) as db:
            return {RunStatus(status): n for status, n in await db.fetch(_SQL["counts"], tenant)}

    async def requeue(self, tenant: str, run_id: str, reason: str, at: float) -> Run:
        async with self._database.transaction(tenant) as db:
            await requeue(db, tenant, run_id, reason, at)
            return await _get(db, tenant, run_id)

    async def fork(self, tenant: str, run_id: str, at_seq: int, new_id: str, at: float) -> Run:
        async with self._database.transaction(tenant) as db:
            number = await db.fetchval(_SQL["keep_origin"], tenant, run_id)
            if number is None:
                raise not_found(run_id)
            base = check_fork(run_id, at_seq, await read_events(db, number))
            new = await db.fetchval(_SQL["fork"], number, new_id, at_seq, at, AGEING, base)
            body = encode({"from": run_id, "at": at_seq})
            await db.execute(_SQL["insert_forked"], new, at_seq + 1, int(EventKind.FORKED), int(at * 1e6), body)
            return await _get(db, tenant, new_id)

    async def purge(
        self, tenant: str, *, before: float, statuses: Sequence[RunStatus], batch: int, blobs_before: float
    ) -> Purge:
        """See callboard.store.runs.Runs. A door may not purge: its role deletes no journals. Raises StoreError.

        While there is a full batch of runs to remove, payloads and conversations are left to the next call: each look
        for those that nothing refers to goes over all of the tenant's.
        """
        if self._database.door:
            raise StoreError(
                "a door may not purge", why="its role deletes no journals", remedy="callboard runs purge as a worker"
            )
        async with self._database.transaction(tenant) as db:
            found = [n for (n,) in await db.fetch(_SQL["purgeable"], tenant, before, list(statuses), batch)]
            purged = dict(await db.fetch(_SQL["purge_runs"], found)) if found else {}
            gone = list(purged)
            events = await _delete(db, "purge_events", gone) if gone else 0
            for name in ("purge_inbox", "purge_approvals"):
                if gone:
                    await _delete(db, name, gone)
            if gone:
                await purge_costs(db, gone)
                await _delete(db, "purge_accounts", tenant, sorted(f"run:{run_id}" for run_id in purged.values()))
                await _delete(db, "purge_deliveries", tenant, list(purged.values()))
        if len(gone) == batch:
            return Purge(len(gone), events)
        # A transaction of its own: writers lock payloads before runs.
        async with self._database.transaction(tenant) as db:
            blobs = await _delete(db, "purge_blobs", tenant, blobs_before, batch)
            return Purge(len(gone), events, blobs, await purge_sessions(db, tenant, before, batch))


async def _get(db: Any, tenant: str, run_id: str) -> Run:
    row = await db.fetchrow(_SQL["get"], tenant, run_id)
    if row is None:
        raise not_found(run_id)
    return run_from(row)


async def _delete(db: Any, name: str, *values: Any) -> int:
    """Runs a DELETE and returns how many rows it took, which the server tells as `DELETE 12`."""
    told: str = await db.execute(_SQL[name], *values)
    return int(told.rpartition(" ")[2])
