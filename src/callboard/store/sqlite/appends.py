"""Writing events: the hottest statement of all, grouped over many runs."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from callboard.domain.budget import Refusal
from callboard.domain.errors import LeaseLost
from callboard.domain.event import Event
from callboard.store.approvals import NewApproval
from callboard.store.claims import Claim
from callboard.store.journal import Extras, spending
from callboard.store.sqlite.accounts import hold, settle
from callboard.store.sqlite.costs import write_bills
from callboard.store.sqlite.sql import one, statements
from callboard.store.sqlite.starts import insert_runs

INLINE = 16_384  # bytes; larger payloads become blobs
_SQL = statements("journal")
_APPROVALS = statements("approvals")
_CLAIMS = statements("claims")


class Append:
    """An op that appends a run's next events, with what belongs to them."""

    rank = 3
    __slots__ = ("claim", "events", "extras", "future")

    def __init__(self, claim: Claim, events: Sequence[Event], extras: Extras | None) -> None:
        self.claim = claim
        self.events = events
        self.extras = extras
        self.future: asyncio.Future[Any]

    @property
    def begins(self) -> int | None:
        """The seq of its first event: it follows on what the claim appended before. None without events."""
        return self.events[0].seq if self.events else None

    @staticmethod
    def apply(db: apsw.Connection, ops: "Sequence[Append]") -> list[Any]:
        """Plain appends, and those that start children, go in one statement; the others one by one in savepoints."""
        results: list[Any] = [None] * len(ops)
        rows: list[tuple[Any, ...]] = []
        plain: list[int] = []
        for i, op in enumerate(ops):
            if op.extras is None or op.extras.only_children:
                claim = op.claim
                plain.append(i)
                for event in op.events:
                    rows.append(row(db, claim, event))
            else:
                # Order within a run is the order of calls: what came before goes in first.
                _write_plain(db, ops, plain, rows, results)
                plain, rows = [], []
                results[i] = _append_with_extras(db, op)
        _write_plain(db, ops, plain, rows, results)
        return results


def row(db: apsw.Connection, claim: Claim, event: Event) -> tuple[Any, ...]:
    """The parameters that write one event; a large body is put aside as a blob."""
    body: bytes | None = event.body
    blob: bytes | None = None
    if len(event.body) > INLINE:
        body, blob = None, put_blob(db, claim.tenant, event.body, event.at / 1e6)
    return (
        claim.number, event.seq, int(event.kind), event.path, event.digest, event.at, event.took, body, blob,
        claim.epoch,
    )  # fmt: skip


def put_blob(db: apsw.Connection, tenant: str, data: bytes, at: float) -> bytes:
    """Stores a payload under its hash, once, and returns the hash."""
    key = hashlib.sha256(data).digest()
    db.execute(_SQL["put_blob"], (tenant, key, data, at))
    return key


def write_rows(db: apsw.Connection, rows: list[tuple[Any, ...]]) -> int:
    """Inserts events under their epochs; returns how many held."""
    before = db.total_changes()
    db.executemany(_SQL["append"], rows)
    return db.total_changes() - before


def holds(db: apsw.Connection, claim: Claim) -> bool:
    """Whether a claim still holds."""
    return one(db, _CLAIMS["held"], (claim.number, claim.epoch)) is not None


def lost(claim: Claim) -> LeaseLost:
    """The error for a write under an old epoch."""
    return LeaseLost(
        f"run {claim.run_id} is no longer held under epoch {claim.epoch}",
        why="another worker took it over, or it has ended",
    )


def _write_plain(
    db: apsw.Connection, ops: Sequence[Append], plain: list[int], rows: list[tuple[Any, ...]], results: list[Any]
) -> None:
    if not rows:
        return
    if write_rows(db, rows) == len(rows):
        _start_children(db, [ops[i] for i in plain])
        return
    pairs = [(ops[i].claim.number, ops[i].claim.epoch) for i in plain]
    held = set(db.execute(_SQL["owned"], (msgspec.json.encode(pairs).decode(),)))
    for i in plain:
        if (ops[i].claim.number, ops[i].claim.epoch) not in held:
            results[i] = lost(ops[i].claim)
    _start_children(db, [ops[i] for i in plain if results[i] is None])


def _start_children(db: apsw.Connection, ops: Sequence[Append]) -> None:
    insert_runs(db, [(child, op.claim.number) for op in ops if op.extras is not None for child in op.extras.children])


def _append_with_extras(db: apsw.Connection, op: Append) -> Any:
    extras, events = op.extras, op.events
    assert extras is not None
    refused: Refusal | None = None
    try:
        with db:
            if not holds(db, op.claim):
                raise lost(op.claim)
            if extras.hold is not None and (refused := hold(db, op.claim, extras.hold)) is not None:
                events = [extras.hold.refused(events[0], refused)]
                extras = Extras(spent=extras.spent, bills=extras.bills)
            if extras.settled is not None:
                settle(db, op.claim.tenant, op.claim.number, extras.settled)
            write_rows(db, [row(db, op.claim, e) for e in events])
            for seq in extras.consumed:
                db.execute(_SQL["consume"], (op.claim.number, seq))
            for ask in extras.asks:
                _open_approval(db, op.claim, ask)
            if extras.labels:
                db.execute(_SQL["label"], (op.claim.number, msgspec.json.encode(extras.labels).decode()))
            spent = spending(extras)
            if spent is not None:
                db.execute(_SQL["spend"], (op.claim.number, *msgspec.structs.astuple(spent)))
            if extras.bills:
                write_bills(db, op.claim, extras.bills)
            if extras.children:
                insert_runs(db, [(child, op.claim.number) for child in extras.children])
    except LeaseLost as error:
        return error
    return refused


def _open_approval(db: apsw.Connection, claim: Claim, ask: NewApproval) -> None:
    db.execute(
        _APPROVALS["open"],
        (ask.id, claim.number, claim.tenant, ask.path, ask.kind, ask.proposal, ask.at, ask.deadline),
    )
