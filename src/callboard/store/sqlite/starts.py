"""Starting runs and sending letters, grouped over many callers."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from callboard.domain.errors import Conflict, KeyConflict, NotFound
from callboard.domain.run import RunStatus
from callboard.store.claims import AGEING, SHARE
from callboard.store.deliveries import asked_for
from callboard.store.letter import CANCEL
from callboard.store.rows import charges_text
from callboard.store.runs import NewRun, Started
from callboard.store.sqlite.deliveries import tell
from callboard.store.sqlite.sql import one, statements

INLINE = 16_384
_SQL = statements("runs")
_INBOX = statements("inbox")
_JOURNAL = statements("journal")


class Start:
    """An op that starts a run, or finds the one that its key made."""

    rank = 1
    __slots__ = ("future", "new")

    def __init__(self, new: NewRun) -> None:
        self.new = new
        self.future: asyncio.Future[Any]

    @staticmethod
    def apply(db: apsw.Connection, ops: "Sequence[Start]") -> list[Any]:
        """Inserts all new runs in two statements, and whom their ends are to be told."""
        results: list[Any] = []
        fresh: list[NewRun] = []
        made: dict[tuple[str, str, str], NewRun] = {}  # by keys used twice within this very group
        for op in ops:
            new = op.new
            if new.key is None:
                fresh.append(new)
                results.append(Started(new.id, True))
                continue
            name = (new.tenant, new.flow, new.key)
            first = made.get(name)
            found = (first.id, first.digest) if first else one(db, _SQL["by_key"], name)
            if found is None:
                made[name] = new
                fresh.append(new)
                results.append(Started(new.id, True))
            elif found[1] == new.digest:
                results.append(Started(found[0], False))
            else:
                results.append(_key_conflict(new, found[0]))
        insert_runs(db, [(new, None) for new in fresh])
        hooked = [
            (op.new, result.run_id)
            for op, result in zip(ops, results, strict=True)
            if op.new.webhook is not None and isinstance(result, Started)
        ]
        if hooked:
            tell(db, [asked_for(new.tenant, run_id, new.webhook or "", new.at) for new, run_id in hooked])
        return results


class Send:
    """An op that puts a letter into a run's inbox."""

    rank = 2
    __slots__ = ("at", "body", "future", "name", "run_id", "tenant")

    def __init__(self, tenant: str, run_id: str, name: str, body: bytes, at: float) -> None:
        self.tenant, self.run_id, self.name, self.body, self.at = tenant, run_id, name, body, at
        self.future: asyncio.Future[Any]

    @staticmethod
    def apply(db: apsw.Connection, ops: "Sequence[Send]") -> list[Any]:
        """Knocks at each run and leaves the letter."""
        results: list[Any] = []
        for op in ops:
            row = one(db, _SQL["number"], (op.tenant, op.run_id))
            if row is None:
                results.append(not_found(op.run_id))
                continue
            told = deliver(db, [(row[0], op.name, op.body)], op.at)
            results.append(told[0][2] if told else _ended(op.run_id))
        return results


def insert_runs(db: apsw.Connection, fresh: Sequence[tuple[NewRun, int | None]]) -> None:
    """Writes rows and first events of new runs, each with the number of its parent."""
    if not fresh:
        return
    first = one(db, _SQL["take_numbers"], (len(fresh),))[0]
    rows: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    ends = _queue_up(db, [new for new, _ in fresh if new.start_at is None])
    for number, (new, parent) in enumerate(fresh, first):
        labels = None if not new.labels else msgspec.json.encode(new.labels).decode()
        rows.append(
            (number, new.id, new.tenant, new.flow, new.version, new.priority, new.key, new.digest, labels, new.depth,
             parent, new.parent_path, new.detached, new.at, _rank(new, ends), new.start_at, new.needs,
             charges_text(new.charges), new.by, new.trace)
        )  # fmt: skip
        body, blob = new.input, None
        if len(body) > INLINE:
            blob = hashlib.sha256(body).digest()
            db.execute(_JOURNAL["put_blob"], (new.tenant, blob, body, new.at))
        events.append((number, new.digest, int(new.at * 1e6), None if blob else body, blob))
    db.executemany(_SQL["insert"], rows)
    db.executemany(_SQL["insert_started"], events)


def _queue_up(db: apsw.Connection, fresh: Sequence[NewRun]) -> dict[str, float]:
    """Takes places in the tenants' queues; returns where each tenant's next one is."""
    ends: dict[str, float] = {}
    queues: dict[str, list[NewRun]] = {}
    for new in fresh:
        queues.setdefault(new.tenant, []).append(new)
    for tenant, news in queues.items():
        length = len(news) * SHARE
        ends[tenant] = one(db, _SQL["queue_up"], (tenant, news[0].at, length, news[-1].id))[0] - length
    return ends


def _rank(new: NewRun, ends: dict[str, float]) -> float:
    if new.start_at is not None:
        return new.start_at - new.priority * AGEING
    place = ends[new.tenant]
    ends[new.tenant] = place + SHARE
    return place - new.priority * AGEING


def deliver(
    db: apsw.Connection, letters: Sequence[tuple[int, str, bytes]], at: float
) -> list[tuple[int, str, RunStatus]]:
    """Knocks at runs by number and leaves letters; returns (number, id, status) of those that had not ended."""
    told: list[tuple[int, str, RunStatus]] = []
    rows: list[tuple[Any, ...]] = []
    for number, name, body in letters:
        for run, seq, status, run_id in db.execute(_INBOX["knock"], (number, at, name == CANCEL, AGEING)):
            rows.append((run, seq, name, body, at))
            told.append((run, run_id, RunStatus(status)))
    db.executemany(_INBOX["deliver"], rows)
    return told


def not_found(run_id: str) -> NotFound:
    """The error for an id that this tenant does not have."""
    return NotFound(f"no run {run_id!r}", remedy="callboard runs list shows the ids")


def _key_conflict(new: NewRun, run_id: str) -> KeyConflict:
    return KeyConflict(
        f"key {new.key!r} of flow {new.flow} belongs to run {run_id}, which had another input",
        remedy="use another key, or the same input",
    )


def _ended(run_id: str) -> Conflict:
    return Conflict(f"run {run_id} has ended", why="nobody would read it", remedy="start a new run or requeue this one")
