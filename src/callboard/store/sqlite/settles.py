"""Ending claims: park, hand back, finish; grouped over many runs."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import apsw

from callboard.domain.run import RunStatus
from callboard.store.claims import Claim, Finish, Park, Release, Settled
from callboard.store.letter import CANCEL, CHILD
from callboard.store.sqlite.appends import lost, row, write_rows
from callboard.store.sqlite.sql import one, statements
from callboard.store.sqlite.starts import deliver

_SQL = statements("claims")
_DONE = Settled(True)
_REFUSED = Settled(False)


class Settle:
    """An op that ends a claim."""

    rank = 4
    __slots__ = ("claim", "end", "future")

    def __init__(self, claim: Claim, end: Park | Finish | Release) -> None:
        self.claim = claim
        self.end = end
        self.future: asyncio.Future[Any]

    @staticmethod
    def apply(db: apsw.Connection, ops: "Sequence[Settle]") -> list[Any]:
        """One statement for each way of ending, over all runs that end so."""
        results: dict[int, Any] = {}
        for kind, settle in ((Park, _park), (Release, _release), (Finish, _finish)):
            some = [(i, op) for i, op in enumerate(ops) if type(op.end) is kind]
            if some:
                settle(db, some, results)
        return [results[i] for i in range(len(ops))]


def finish_families(
    db: apsw.Connection, ended: Sequence[tuple[int, int | None, str | None, int]], notices: dict[int, bytes], at: float
) -> dict[int, list[str]]:
    """Tells waiting parents that children ended; returns, by child number, the ids that became ready."""
    woken: dict[int, list[str]] = {}
    for number, parent, path, detached in ended:
        if parent is not None and not detached:
            told = deliver(db, [(parent, f"{CHILD}{path}", notices[number])], at)
            woken[number] = [run_id for _, run_id, status in told if status is RunStatus.READY]
    return woken


def _park(db: apsw.Connection, ops: list[tuple[int, Settle]], results: dict[int, Any]) -> None:
    rows = []
    for _, op in ops:
        assert isinstance(op.end, Park)
        rows.append((op.claim.number, op.claim.epoch, op.end.inbox_seq, op.end.wake_at))
    parked = {number for (number,) in db.executemany(_SQL["park"], rows)}
    for i, op in ops:
        if op.claim.number in parked:
            results[i] = _DONE
        else:
            results[i] = _REFUSED if _held(db, op.claim) else lost(op.claim)


def _release(db: apsw.Connection, ops: list[tuple[int, Settle]], results: dict[int, Any]) -> None:
    rows = [(op.claim.number, op.claim.epoch) for _, op in ops]
    released = {number for (number,) in db.executemany(_SQL["release"], rows)}
    for i, op in ops:
        results[i] = _DONE if op.claim.number in released else lost(op.claim)


def _finish(db: apsw.Connection, ops: list[tuple[int, Settle]], results: dict[int, Any]) -> None:
    at = time.time()
    rows, events, notices = [], [], {}
    for _, op in ops:
        end = op.end
        assert isinstance(end, Finish)
        at = end.event.at / 1e6
        events.append(row(db, op.claim, end.event))
        rows.append((op.claim.number, op.claim.epoch, end.status, at, end.error))
        notices[op.claim.number] = end.notice
    write_rows(db, events)
    ended = list(db.executemany(_SQL["finish"], rows))
    numbers = {e[0] for e in ended}
    families = [e for e in ended if e[1] is not None and notices[e[0]]]
    woken = finish_families(db, families, notices, at) if families else {}
    for i, op in ops:
        number = op.claim.number
        if number not in numbers:
            results[i] = lost(op.claim)
            continue
        assert isinstance(op.end, Finish)
        ready = woken.get(number, [])
        if op.end.orphans:
            ready = ready + _end_children(db, number, at)
        if op.end.status is not RunStatus.BLOCKED and (op.end.orphans or op.end.status is not RunStatus.SUCCEEDED):
            db.execute(_SQL["withdraw"], (number,))
        results[i] = Settled(True, tuple(ready)) if ready else _DONE


def _end_children(db: apsw.Connection, number: int, at: float) -> list[str]:
    children = [(child, CANCEL, b'"the parent has ended"') for (child,) in db.execute(_SQL["live_children"], (number,))]
    return [run_id for _, run_id, status in deliver(db, children, at) if status is RunStatus.READY]


def _held(db: apsw.Connection, claim: Claim) -> bool:
    return one(db, _SQL["held"], (claim.number, claim.epoch)) is not None
