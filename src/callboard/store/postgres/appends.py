"""Writing events: the hottest statements of all, grouped over many runs."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from callboard.domain.budget import Refusal
from callboard.domain.errors import LeaseLost, StoreError
from callboard.domain.event import Event
from callboard.store.claims import Claim
from callboard.store.journal import Extras, spending
from callboard.store.postgres.group import INLINE, Group
from callboard.store.postgres.sql import statements

_SQL = statements("appends")


class Append:
    """An op that appends a run's next events, with what belongs to them."""

    __slots__ = ("claim", "events", "extras", "future", "plain")

    def __init__(self, claim: Claim, events: Sequence[Event], extras: Extras | None) -> None:
        self.claim = claim
        self.events = events
        self.extras = extras
        self.plain = extras is None and all(len(e.body) <= INLINE for e in events)
        self.future: asyncio.Future[Any]

    @property
    def begins(self) -> int | None:
        """The seq of its first event: it follows on what the claim appended before. None without events."""
        return self.events[0].seq if self.events else None

    @property
    def tenant(self) -> str:
        """Whose run it is."""
        return self.claim.tenant

    def payloads(self) -> list[tuple[str, bytes, float]]:
        """What may have to become blobs: (tenant, payload, time)."""
        tenant = self.claim.tenant
        own = [(tenant, e.body, e.at / 1e6) for e in self.events]
        return own if self.extras is None else own + [(c.tenant, c.input, c.at) for c in self.extras.children]


def append(group: Group, op: Append) -> LeaseLost | Refusal | None:
    """Notes an op's events and extras, except the runs that it starts, if the claim holds."""
    claim, extras = op.claim, op.extras
    if not group.holds(claim):
        return lost(claim)
    if extras is not None and extras.hold is not None:
        refused = group.accounts.hold(claim.tenant, claim.number, extras.hold)
        if refused is not None:
            # Nobody knew this event before the accounts were locked: it is too late for a blob.
            group.event(claim.number, extras.hold.refused(op.events[0], refused), inline=True)
            _spend(group, claim, extras)
            return refused
    for event in op.events:
        group.event(claim.number, event)
    if extras is not None:
        if extras.settled is not None:
            group.accounts.settle(claim.tenant, claim.number, extras.settled)
        group.consume(claim.number, extras.consumed)
        for ask in extras.asks:
            group.ask(claim, ask)
        if extras.labels:
            group.label(claim.number, extras.labels)
        _spend(group, claim, extras)
    return None


async def append_plain(db: Any, ops: Sequence[Append]) -> list[LeaseLost | None]:
    """Appends without extras in one statement of its own transaction; those fenced out fail alone."""
    refused: set[tuple[int, int]] = set()
    rest = ops
    while rest:
        if await _insert(db, rest, "append"):
            break
        owned = await _owned(db, rest)
        refused |= {pair for op in rest if (pair := _pair(op)) not in owned}
        rest = [op for op in rest if _pair(op) in owned]
    return [lost(op.claim) if _pair(op) in refused else None for op in ops]


async def append_plain_again(db: Any, ops: Sequence[Append]) -> list[Exception | None]:
    """The same after a connection was lost with the answer: what was written then is not written twice.

    Only a run's owner writes rows of its journal under these numbers, so a row that is there and equal is ours.
    """
    await _insert(db, ops, "append_again")
    found = await _written(db, [(op.claim.number, e.seq) for op in ops for e in op.events])
    results: dict[int, Exception | None] = {}
    rest: list[tuple[int, Append]] = []
    for i, op in enumerate(ops):
        rows = [found.get((op.claim.number, e.seq)) for e in op.events]
        if all(row == _row(op, e) for row, e in zip(rows, op.events, strict=True)) and rows:
            results[i] = None
        elif any(row is not None for row in rows):
            results[i] = lost(op.claim) if _pair(op) not in await _owned(db, [op]) else _taken(op)
        else:
            rest.append((i, op))
    for (i, _), result in zip(rest, await append_plain(db, [op for _, op in rest]), strict=True):
        results[i] = result
    return [results[i] for i in range(len(ops))]


async def written(db: Any, claim: Claim, events: Sequence[Event]) -> bool:
    """Whether these very events stand in the run's journal, large bodies taken as equal."""
    found = await _written(db, [(claim.number, e.seq) for e in events])
    return bool(events) and all(
        (row := found.get((claim.number, e.seq))) is not None
        and row[:5] == (int(e.kind), e.path, e.digest, e.at, e.took)
        for e in events
    )


def lost(claim: Claim) -> LeaseLost:
    """The error for a write under an old epoch."""
    return LeaseLost(
        f"run {claim.run_id} is no longer held under epoch {claim.epoch}",
        why="another worker took it over, or it has ended",
    )


async def _insert(db: Any, ops: Sequence[Append], statement: str) -> bool:
    """Whether all rows were written. With one event the statement is a lighter one."""
    events = [e for op in ops for e in op.events]
    if not events:
        return True
    if len(events) == 1 and len(ops) == 1 and statement == "append":
        claim, e = ops[0].claim, events[0]
        status = await db.execute(
            _SQL["append_one"], claim.number, e.seq, e.kind, e.path, e.digest, e.at, e.took, e.body, None, claim.epoch
        )
        return bool(status == "INSERT 0 1")
    pairs = list({_pair(op) for op in ops})
    pairs.sort()
    status = await db.execute(
        _SQL[statement],
        [number for op in ops for number in (op.claim.number,) * len(op.events)],
        [e.seq for e in events],
        [e.kind for e in events],
        [e.path for e in events],
        [e.digest for e in events],
        [e.at for e in events],
        [e.took for e in events],
        [e.body for e in events],
        [number for number, _ in pairs],
        [epoch for _, epoch in pairs],
    )
    return bool(status == f"INSERT 0 {len(events)}")


async def _owned(db: Any, ops: Iterable[Append]) -> set[tuple[int, int]]:
    pairs = sorted({_pair(op) for op in ops})
    return {(row[0], row[1]) for row in await db.fetch(_SQL["owned"], [p[0] for p in pairs], [p[1] for p in pairs])}


async def _written(db: Any, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[Any, ...]]:
    rows = await db.fetch(_SQL["written"], [run for run, _ in places], [seq for _, seq in places])
    return {(row[0], row[1]): tuple(row)[2:] for row in rows}


def _spend(group: Group, claim: Claim, extras: Extras) -> None:
    spent = spending(extras)
    if spent is not None:
        group.spend(claim.number, spent)
    for bill in extras.bills:
        group.bill(claim, bill)


def _row(op: Append, event: Event) -> tuple[Any, ...]:
    return (int(event.kind), event.path, event.digest, event.at, event.took, event.body, None)


def _pair(op: Append) -> tuple[int, int]:
    return op.claim.number, op.claim.epoch


def _taken(op: Append) -> StoreError:
    return StoreError(
        f"run {op.claim.run_id} has other events at {op.events[0].seq}", why="its journal went on without these"
    )
