"""Starting runs and sending letters, grouped over many callers."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.domain.errors import Conflict, KeyConflict, NotFound, StoreError
from callboard.domain.run import RunStatus
from callboard.store.claims import AGEING, SHARE
from callboard.store.deliveries import asked_for
from callboard.store.postgres.deliveries import tell
from callboard.store.postgres.group import INLINE, Group, columns
from callboard.store.postgres.sql import statements
from callboard.store.postgres.touched import Touched
from callboard.store.rows import charges_text
from callboard.store.runs import NewRun, Started

_SQL = statements("starts")
Known = dict[tuple[str, str, str], tuple[str, bytes]]


class Start:
    """An op that starts a run, or finds the one that its key made."""

    __slots__ = ("future", "new")

    def __init__(self, new: NewRun) -> None:
        self.new = new
        self.future: asyncio.Future[Any]

    @property
    def tenant(self) -> str:
        """Whose run it is."""
        return self.new.tenant

    def payloads(self) -> list[tuple[str, bytes, float]]:
        """What may have to become a blob: (tenant, payload, time)."""
        return [(self.new.tenant, self.new.input, self.new.at)]


class Send:
    """An op that puts a letter into a run's inbox."""

    __slots__ = ("at", "body", "future", "name", "run_id", "tenant")

    def __init__(self, tenant: str, run_id: str, name: str, body: bytes, at: float) -> None:
        self.tenant, self.run_id, self.name, self.body, self.at = tenant, run_id, name, body, at
        self.future: asyncio.Future[Any]


async def lock_lanes(group: Group, tenants: set[str]) -> None:
    """Takes the tenants' queues, so that places in them are given to one group at a time."""
    await group.db.execute(_SQL["lock_lanes"], sorted(tenants))


async def start_all(group: Group, ops: Sequence[Start]) -> list[Any]:
    """Starts all, except where a key has made a run before, in this group or in an earlier one; and keeps whom their
    ends are to be told."""
    results: list[Any] = [None] * len(ops)
    known = await by_key(group.db, ops) if any(op.new.key is not None for op in ops) else {}
    fresh: list[NewRun] = []
    twins: list[int] = []
    for i, op in enumerate(ops):
        new = op.new
        if new.key is None:
            fresh.append(new)
            results[i] = Started(new.id, True)
            continue
        found = known.get((new.tenant, new.flow, new.key))
        if found is None:
            known[new.tenant, new.flow, new.key] = new.id, new.digest
            fresh.append(new)
            results[i] = Started(new.id, True)
        else:
            results[i] = _found(new, found)
            twins.append(i)
    made = await insert_runs(group, [(new, None) for new in fresh])
    if len(made) < len(fresh):  # some other process used the same keys in this very moment
        known = await by_key(group.db, ops)
        for i, op in enumerate(ops):
            if i in twins or op.new.id not in made:
                results[i] = found_or_vanished(op.new, known)
    hooked = [(op.new, result) for op, result in zip(ops, results, strict=True) if op.new.webhook is not None]
    found_or_made = [(new, result.run_id) for new, result in hooked if isinstance(result, Started)]
    await tell(group.db, [asked_for(new.tenant, run_id, new.webhook or "", new.at) for new, run_id in found_or_made])
    return results


def send(group: Group, op: Send) -> Any:
    """Notes a letter; the run's status after it, or why it cannot be delivered."""
    run = group.by_id.get(op.run_id)
    if run is None or run.tenant != op.tenant:
        return not_found(op.run_id)
    return run.status if group.letter(run, op.name, op.body, op.at) else _ended(op.run_id)


async def insert_runs(group: Group, fresh: Sequence[tuple[NewRun, int | None]]) -> set[str]:
    """Writes rows of new runs, each with the number of its parent, and notes their first events.

    Returns the ids of those that were made: all but those whose key was taken in this moment.
    """
    return await _insert(group, fresh)


async def deliver(db: Any, letters: Sequence[tuple[int, str, bytes]], at: float) -> list[tuple[int, str, RunStatus]]:
    """Knocks at runs by number and leaves letters, in a transaction of somebody else's.

    Returns (number, id, status) of those that had not ended.
    """
    group = Group(db)
    await group.lock([number for number, _, _ in letters], (), (), ())
    told = []
    for number, name, body in letters:
        run = group.runs.get(number)
        if run is not None and group.letter(run, name, body, at):
            told.append((run.number, run.id, run.status))
    await group.write()
    return told


def startable(new: NewRun) -> bool:
    """Whether a start is a row and an event and nothing else, so that one statement can write it."""
    return new.webhook is None and new.start_at is None and not new.charges and len(new.input) <= INLINE


async def by_key(db: Any, ops: Sequence[Start]) -> Known:
    """The runs that the keys of these have made, each with its digest."""
    keys = list({(op.new.tenant, op.new.flow, op.new.key) for op in ops if op.new.key is not None})
    rows = await db.fetch(_SQL["by_key"], *columns(keys)) if keys else ()
    return {(tenant, flow, key): (run_id, digest) for tenant, flow, key, run_id, digest in rows}


def found_or_vanished(new: NewRun, known: Known) -> Any:
    """The result of a start that made no run: that of its key, or why there is none."""
    found = known.get((new.tenant, new.flow, new.key or ""))
    return _vanished(new) if found is None else _found(new, found)


def labels_of(new: NewRun) -> str | None:
    """A new run's labels as JSON."""
    return msgspec.json.encode(new.labels).decode() if new.labels else None


def not_found(run_id: str) -> NotFound:
    """The error for an id that this tenant does not have."""
    return NotFound(f"no run {run_id!r}", remedy="callboard runs list shows the ids")


async def _insert(group: Group, fresh: Sequence[tuple[NewRun, int | None]]) -> set[str]:
    if not fresh:
        return set()
    ends = await _queue_up(group, [new for new, _ in fresh if new.start_at is None])
    ranks = [_rank(new, ends) for new, _ in fresh]
    rows = [
        (n.id, n.tenant, n.flow, n.version, n.priority, n.key, n.digest, labels_of(n), n.depth, parent, n.parent_path,
         n.detached, rank, n.start_at, n.needs, n.at, charges_text(n.charges),
         n.by, n.trace)
        for (n, parent), rank in zip(fresh, ranks, strict=True)
    ]  # fmt: skip
    numbers = {row[1]: row[0] for row in await group.db.fetch(_SQL["insert"], *columns(rows))}
    for (new, parent), rank in zip(fresh, ranks, strict=True):
        number = numbers.get(new.id)
        if number is None:
            continue
        group.began(number, new.digest, new.at, new.input)
        if parent is not None:  # a parent that ends in this same group may have to end it
            group.add(Touched(_row(number, new, parent, rank)))
    return set(numbers)


async def _queue_up(group: Group, fresh: Sequence[NewRun]) -> dict[str, float]:
    """Takes places in the tenants' queues; returns where each tenant's next one is."""
    queues: dict[str, list[NewRun]] = {}
    for new in fresh:
        queues.setdefault(new.tenant, []).append(new)
    if not queues:
        return {}
    lengths = {tenant: len(news) * SHARE for tenant, news in queues.items()}
    rows = [(tenant, news[0].at, news[-1].id) for tenant, news in queues.items()]
    tails = await group.db.fetch(_SQL["queue_up"], *columns(rows), msgspec.json.encode(lengths).decode())
    return {tenant: tail - lengths[tenant] for tenant, tail in tails}


def _rank(new: NewRun, ends: dict[str, float]) -> float:
    if new.start_at is not None:
        return new.start_at - new.priority * AGEING
    place = ends[new.tenant]
    ends[new.tenant] = place + SHARE
    return place - new.priority * AGEING


def _row(number: int, new: NewRun, parent: int, rank: float) -> tuple[Any, ...]:
    status = RunStatus.READY if new.start_at is None else RunStatus.WAITING
    return (
        number, new.id, new.tenant, 0, status, 0, new.priority, parent, new.parent_path, new.detached, new.start_at, 0,
        rank, new.at, new.start_at, 0, new.at, None,
    )  # fmt: skip


def _found(new: NewRun, found: tuple[str, bytes]) -> Any:
    run_id, digest = found
    if digest != new.digest:
        return KeyConflict(
            f"key {new.key!r} of flow {new.flow} belongs to run {run_id}, which had another input",
            remedy="use another key, or the same input",
        )
    return Started(run_id, False)


def _vanished(new: NewRun) -> StoreError:
    return StoreError(
        f"run {new.id} was not started",
        why=f"another run had key {new.key!r} and was removed in this moment",
        remedy="start it again",
    )


def _ended(run_id: str) -> Conflict:
    return Conflict(f"run {run_id} has ended", why="nobody would read it", remedy="start a new run or requeue this one")
