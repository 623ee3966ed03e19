"""A run that goes on, and whom its next end is told."""

import apsw

from callboard.domain.codec import encode
from callboard.domain.errors import Conflict
from callboard.domain.event import EventKind
from callboard.domain.run import ENDED
from callboard.store.claims import AGEING
from callboard.store.sqlite.costs import unfile_costs
from callboard.store.sqlite.deliveries import tell_again
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.starts import not_found

_SQL = statements("runs")


def requeue(db: apsw.Connection, tenant: str, run_id: str, reason: str, at: float) -> None:
    """Makes a blocked, failed or dead run ready. Raises NotFound, Conflict."""
    row = one(db, _SQL["number"], (tenant, run_id))
    if row is None:
        raise not_found(run_id)
    (number,) = row
    (status,) = one(db, _SQL["status"], (number,))
    if not every(db, _SQL["requeue"], (number, at, AGEING)):
        raise Conflict(f"run {run_id} is {status}", why="only blocked, failed and dead runs can be requeued")
    (last,) = one(db, _SQL["last_seq"], (number,))
    event = (number, last + 1, EventKind.REQUEUED, "", int(at * 1e6), encode({"reason": reason}))
    db.execute(_SQL["append_free"], event)
    if status in ENDED:
        unfile_costs(db, number)
        tell_again(db, tenant, run_id, at)
