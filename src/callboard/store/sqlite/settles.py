"""Ending claims: park, hand back, finish; grouped over many runs."""

import asyncio
from collections.abc import Sequence
from typing import Any

import apsw

from callboard.domain.run import RunStatus
from callboard.store.claims import AGEING, UNREAD, Claim, Finish, Park, Release, Renew, Settled
from callboard.store.letter import CANCEL, CHILD
from callboard.store.sqlite.appends import holds, lost, row, write_rows
from callboard.store.sqlite.costs import file_costs
from callboard.store.sqlite.sql import statements
from callboard.store.sqlite.starts import deliver

_SQL = statements("claims")
_DONE = Settled(True)
_REFUSED = Settled(False)


class Settle:
    """An op that ends a claim."""

    rank = 4
    __slots__ = ("claim", "end", "future")

    @property
    def begins(self) -> int | None:
        """The seq of its event; -1 for a park, which has none and fits no gap; None for a release, which fits all."""
        match self.end:
            case Finish(event=event) | Renew(event=event):
                return event.seq
            case Park():
                return -1
            case Release():
                return None

    def __init__(self, claim: Claim, end: Park | Finish | Release | Renew) -> None:
        self.claim = claim
        self.end = end
        self.future: asyncio.Future[Any]

    @staticmethod
    def apply(db: apsw.Connection, ops: "Sequence[Settle]") -> list[Any]:
        """One statement for each way of ending, over all runs that end so."""
        results: dict[int, Any] = {}
        for kind, settle in ((Park, _park), (Release, _release), (Renew, _renew), (Finish, _finish)):
            some = [(i, op) for i, op in enumerate(ops) if type(op.end) is kind]
            if some:
                settle(db, some, results)
        return [results[i] for i in range(len(ops))]


def tell_parent(db: apsw.Connection, parent: int, path: str, notice: bytes, at: float) -> list[str]:
    """Leaves a child's last word in its parent's inbox; returns the parent's id if that made it ready."""
    told = deliver(db, [(parent, f"{CHILD}{path}", notice)], at)
    return [run_id for _, run_id, status in told if status is RunStatus.READY]


def _park(db: apsw.Connection, ops: list[tuple[int, Settle]], results: dict[int, Any]) -> None:
    rows = []
    for _, op in ops:
        assert isinstance(op.end, Park)
        rows.append((op.claim.number, op.claim.epoch, op.end.inbox_seq, op.end.wake_at))
    parked = set(db.executemany(_SQL["park"], rows))
    for i, op in ops:
        if (op.claim.number, op.claim.epoch) in parked:
            results[i] = _DONE
        else:
            results[i] = _REFUSED if holds(db, op.claim) else lost(op.claim)


def _release(db: apsw.Connection, ops: list[tuple[int, Settle]], results: dict[int, Any]) -> None:
    rows = [(op.claim.number, op.claim.epoch) for _, op in ops]
    released = set(db.executemany(_SQL["release"], rows))
    for i, op in ops:
        results[i] = _DONE if (op.claim.number, op.claim.epoch) in released else lost(op.claim)


def _renew(db: apsw.Connection, ops: list[tuple[int, Settle]], results: dict[int, Any]) -> None:
    ends = [(i, op.claim, op.end.event) for i, op in ops if isinstance(op.end, Renew)]
    write_rows(db, [row(db, claim, event) for _, claim, event in ends])
    rows = [(c.number, c.epoch, event.seq, event.at / 1e6, AGEING) for _, c, event in ends]
    renewed = set(db.executemany(_SQL["renew"], rows))
    for i, op in ops:
        if (op.claim.number, op.claim.epoch) not in renewed:
            results[i] = lost(op.claim)
        elif isinstance(op.end, Renew) and op.end.orphans:
            ready = _end_children(db, op.claim.number, op.end.event.at / 1e6)
            db.execute(_SQL["disown"], (op.claim.number,))
            db.execute(_SQL["forget_children"], (op.claim.number,))
            results[i] = Settled(True, tuple(ready))
        else:
            results[i] = _DONE


def _finish(db: apsw.Connection, ops: list[tuple[int, Settle]], results: dict[int, Any]) -> None:
    ends = [(i, op.claim, op.end) for i, op in ops if isinstance(op.end, Finish)]
    write_rows(db, [row(db, claim, end.event) for _, claim, end in ends])
    rows = [(c.number, c.epoch, end.status, end.event.at / 1e6, end.error) for _, c, end in ends]
    ended = {(number, epoch): family for number, epoch, *family in db.executemany(_SQL["finish"], rows)}
    file_costs(db, [claim.number for _, claim, end in ends if end.status is not RunStatus.BLOCKED])
    for i, claim, end in ends:
        family = ended.get((claim.number, claim.epoch))
        results[i] = lost(claim) if family is None else _told(db, claim, end, family)


def _told(db: apsw.Connection, claim: Claim, end: Finish, family: Sequence[Any]) -> Settled:
    """What follows from a run's end for its parent, its children and its open questions."""
    at = end.event.at / 1e6
    ready: list[str] = []
    parent, path, detached, letters = family
    if letters and end.status in UNREAD:
        db.execute(_SQL["drop_letters"], (claim.number,))
    if parent is not None and end.notice and not detached:
        ready += tell_parent(db, parent, path, end.notice, at)
    if end.orphans:
        ready += _end_children(db, claim.number, at)
    if end.status is not RunStatus.BLOCKED:
        db.execute(_SQL["withdraw"], (claim.number,))
    return Settled(True, tuple(ready)) if ready else _DONE


def _end_children(db: apsw.Connection, number: int, at: float) -> list[str]:
    children = [(child, CANCEL, b'"the parent has ended"') for (child,) in db.execute(_SQL["live_children"], (number,))]
    return [run_id for _, run_id, status in deliver(db, children, at) if status is RunStatus.READY]
