"""Ending claims: park, hand back, begin anew, finish; grouped over many runs."""

import asyncio
from collections.abc import Sequence
from typing import Any

from callboard.domain.run import RunStatus
from callboard.store.claims import UNREAD, Claim, Finish, Park, Release, Renew, Settled
from callboard.store.letter import CANCEL, CHILD
from callboard.store.postgres.appends import lost
from callboard.store.postgres.group import Group, ready
from callboard.store.postgres.touched import Touched

_DONE = Settled(True)
_REFUSED = Settled(False)


class Settle:
    """An op that ends a claim."""

    __slots__ = ("claim", "end", "future")

    def __init__(self, claim: Claim, end: Park | Finish | Release | Renew) -> None:
        self.claim = claim
        self.end = end
        self.future: asyncio.Future[Any]

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

    @property
    def tenant(self) -> str:
        """Whose run it is."""
        return self.claim.tenant

    @property
    def orphans(self) -> bool:
        """Whether children have to end with it."""
        return isinstance(self.end, Finish | Renew) and self.end.orphans

    def payloads(self) -> list[tuple[str, bytes, float]]:
        """What may have to become a blob: (tenant, payload, time)."""
        if isinstance(self.end, Finish | Renew):
            return [(self.claim.tenant, self.end.event.body, self.end.event.at / 1e6)]
        return []


def settle_all(group: Group, ops: Sequence[Settle]) -> list[Any]:
    """Settles all: first those that wait or go on, then the ends, then what ends mean for others."""
    results: dict[int, Any] = {}
    for kind, settle in ((Park, _park), (Release, _release), (Renew, _renew), (Finish, _finish)):
        for i, op in enumerate(ops):
            if type(op.end) is kind:
                results[i] = settle(group, op.claim, op.end) if group.holds(op.claim) else lost(op.claim)
    for i, op in enumerate(ops):
        if isinstance(op.end, Finish) and results[i] is _DONE:
            results[i] = _told(group, group.runs[op.claim.number], op.end)
    return [results[i] for i in range(len(ops))]


def _park(group: Group, claim: Claim, end: Any) -> Settled:
    run = group.runs[claim.number]
    if run.inbox_seq != end.inbox_seq:
        return _REFUSED
    run.park(end.wake_at)
    return _DONE


def _release(group: Group, claim: Claim, _: Any) -> Settled:
    group.runs[claim.number].release()
    return _DONE


def _renew(group: Group, claim: Claim, end: Any) -> Settled:
    at = end.event.at / 1e6
    group.event(claim.number, end.event)
    group.runs[claim.number].renew(end.event.seq, at)
    if not end.orphans:
        return _DONE
    woken = _end_children(group, claim.number, at)
    group.forget_children(claim.number)
    return Settled(True, woken)


def _finish(group: Group, claim: Claim, end: Any) -> Settled:
    group.event(claim.number, end.event)
    group.runs[claim.number].finish(end.status, end.error, end.event.at / 1e6)
    if end.status is not RunStatus.BLOCKED:
        group.withdraw(claim.number)
    if end.status in UNREAD and group.runs[claim.number].inbox_seq:
        group.drop_letters(claim.number)
    return _DONE


def _told(group: Group, run: Touched, end: Finish) -> Settled:
    """What follows from a run's end for its parent and its children."""
    at = end.event.at / 1e6
    woken: tuple[str, ...] = ()
    parent = group.runs.get(run.parent) if run.parent is not None and end.notice and not run.detached else None
    if (
        parent is not None
        and parent.tenant == run.tenant
        and group.letter(parent, f"{CHILD}{run.parent_path}", end.notice, at)
    ):
        woken = ready([parent])
    if end.orphans:
        woken += _end_children(group, run.number, at)
    return Settled(True, woken) if woken else _DONE


def _end_children(group: Group, number: int, at: float) -> tuple[str, ...]:
    children = [child for child in group.children.get(number, ()) if not child.detached]
    return ready([c for c in children if group.letter(c, CANCEL, b'"the parent has ended"', at)])
