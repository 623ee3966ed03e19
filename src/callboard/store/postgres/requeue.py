"""A run that goes on, and whom its next end is told."""

from typing import Any

from callboard.domain.codec import encode
from callboard.domain.errors import Conflict
from callboard.domain.event import EventKind
from callboard.domain.run import ENDED
from callboard.store.claims import AGEING
from callboard.store.postgres.costs import unfile_costs
from callboard.store.postgres.deliveries import tell_again
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import not_found

_SQL = statements("runs")


async def requeue(db: Any, tenant: str, run_id: str, reason: str, at: float) -> None:
    """Makes a blocked, failed or dead run ready. Raises NotFound, Conflict."""
    row = await db.fetchrow(_SQL["requeue"], tenant, run_id, at, AGEING)
    if row is None:
        status = await db.fetchval(_SQL["status"], tenant, run_id)
        if status is None:
            raise not_found(run_id)
        raise Conflict(f"run {run_id} is {status}", why="only blocked, failed and dead runs can be requeued")
    number, before = row
    body = encode({"reason": reason})
    await db.execute(_SQL["append_free"], number, int(EventKind.REQUEUED), int(at * 1e6), body)
    if before in ENDED:
        await unfile_costs(db, number)
        await tell_again(db, tenant, run_id, at)
