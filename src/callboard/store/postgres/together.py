"""Groups that only start runs: one statement, not a transaction of seven.

What a door writes is starts and nearly nothing else, and while it waits for the answer to a statement, its event loop
has others to serve first. Like a run that starts alone, these need no mark: a start is known by the run's id.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from callboard.store.claims import AGEING, SHARE
from callboard.store.postgres.group import columns
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import Start, by_key, found_or_vanished, labels_of, startable
from callboard.store.runs import NewRun, Started

_SQL = statements("together")


def fit(ops: Sequence[Any]) -> bool:
    """Whether ops can be written together: they start runs of one tenant that are ready at once."""
    return len(ops) > 1 and all(type(op) is Start and op.tenant == ops[0].tenant and startable(op.new) for op in ops)


async def write(db: Any, ops: Sequence[Start], *, again: bool) -> list[Any]:
    """Starts all of them, except where a key has made a run before; a result for each.

    `again`: an attempt before this one may have been committed.
    """
    tenant, fresh = ops[0].tenant, _fresh(ops)
    rows = [
        (n.id, n.flow, n.version, n.priority, n.key, n.digest, labels_of(n), n.depth, i * SHARE - n.priority * AGEING,
         n.at, n.needs, n.by, n.trace, n.input)
        for i, n in enumerate(fresh.values())
    ]  # fmt: skip
    last = rows[-1][0]
    rows.sort(key=itemgetter(0))  # each event finds its input by the run's id
    found = await db.fetch(_SQL["start"], tenant, ops[0].new.at, len(rows) * SHARE, last, *columns(rows))
    made = {run_id for (run_id,) in found}
    if again and len(made) < len(rows):
        there = await db.fetch(_SQL["there"], tenant, list(fresh))
        made |= {run_id for (run_id,) in there}
    won = [op.new.id in made and fresh.get(op.new.id) is op.new for op in ops]
    known = await by_key(db, [op for op, own in zip(ops, won, strict=True) if not own])
    return [
        Started(op.new.id, True) if own else found_or_vanished(op.new, known) for op, own in zip(ops, won, strict=True)
    ]


def _fresh(ops: Sequence[Start]) -> dict[str, NewRun]:
    """Those that may make a run, by id: of several with one key, or one id, the one that came first."""
    keys: dict[Any, NewRun] = {}
    for i, op in enumerate(ops):
        keys.setdefault(i if op.new.key is None else (op.new.flow, op.new.key), op.new)
    fresh: dict[str, NewRun] = {}
    for new in keys.values():
        fresh.setdefault(new.id, new)
    return fresh
