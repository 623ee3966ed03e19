"""Where a run may be forked."""

from collections.abc import Sequence

from callboard.domain.errors import Conflict, InputInvalid
from callboard.domain.event import OUTCOMES, Event, EventKind


def check_fork(run_id: str, at_seq: int, events: Sequence[Event]) -> int:
    """The number of the event with which a fork begins that shares these events up to `at_seq`: the last one by
    which the run began anew, else the first.

    Raises InputInvalid when there is no such event; Conflict when the run had ended there, or an intent is open.
    """
    last = events[-1].seq
    if not 0 <= at_seq <= last:
        raise InputInvalid(f"at={at_seq} is not an event of run {run_id}", remedy=f"choose one from 0 to {last}")
    kept = events[: at_seq + 1]
    turns = [e for e in kept if e.kind >= EventKind.RUN_SUCCEEDED or e.kind is EventKind.REQUEUED]
    ended = turns[-1] if turns else None
    if ended is not None and ended.kind is not EventKind.REQUEUED:
        raise Conflict(
            f"run {run_id} ended at event {ended.seq}", remedy=f"fork at an event before it: --at {ended.seq - 1}"
        )
    base = max((e.seq for e in kept if e.kind is EventKind.CONTINUED), default=0)
    unsettled: dict[str, Event] = {}
    for event in kept[base:]:  # a path may be begun again, after a requeue or when the run begins anew
        if event.kind is EventKind.INTENT:
            unsettled.setdefault(event.path, event)
        elif event.kind in OUTCOMES:
            unsettled.pop(event.path, None)
    if unsettled:
        first = next(iter(unsettled.values()))
        raise Conflict(
            f"effect {first.path} of run {run_id} is open at event {at_seq}",
            why="its outcome belongs to that run alone",
            remedy=f"fork before its intent: --at {first.seq - 1}",
        )
    return base
