"""Groups of one: a run that starts or ends by itself costs one statement, not a transaction of seven.

Where only one run is at work, what it waits for is round trips. These statements need no mark: a start is known by
the run's id, an end by its event.
"""

from typing import Any

from callboard.domain.run import RunStatus
from callboard.store.claims import AGEING, SHARE, Finish, Settled
from callboard.store.postgres.appends import written
from callboard.store.postgres.group import INLINE
from callboard.store.postgres.settles import Settle
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import Start, labels_of, startable
from callboard.store.runs import Started

_SQL = statements("lone")


def fits(op: Any) -> bool:
    """Whether an op can be written by itself."""
    match op:
        case Start(new=new):
            return new.key is None and startable(new)
        case Settle(end=Finish(status=status, event=event, notice=b"", orphans=False)):
            return status is not RunStatus.BLOCKED and len(event.body) <= INLINE
        case _:
            return False


async def write(db: Any, op: Any, *, again: bool) -> Any:
    """Writes the op and returns its result; None when it has to be written as others are.

    `again`: an attempt before this one may have been committed.
    """
    return await (_start(db, op, again) if isinstance(op, Start) else _finish(db, op, again))


async def _start(db: Any, op: Start, again: bool) -> Started | None:
    n = op.new
    number = await db.fetchval(
        _SQL["start"], n.id, n.tenant, n.flow, n.version, n.priority, n.digest, labels_of(n), n.depth, n.needs, n.at,
        SHARE, n.priority * AGEING, n.input, int(n.at * 1e6), n.by, n.trace
    )  # fmt: skip
    made = number is not None or (again and await db.fetchval(_SQL["there"], n.tenant, n.id) is not None)
    return Started(n.id, True) if made else None


async def _finish(db: Any, op: Settle, again: bool) -> Settled | None:
    claim, end = op.claim, op.end
    assert isinstance(end, Finish)
    e = end.event
    status = await db.execute(
        _SQL["finish"], claim.number, claim.epoch, e.seq, e.kind, e.path, e.digest, e.at, e.took, e.body, end.status,
        end.error, e.at / 1e6
    )  # fmt: skip
    done = status == "UPDATE 1" or (again and await written(db, claim, [e]))
    return Settled(True) if done else None
