"""What is to be done about a schedule that is due. Pure: looks at nothing but what it is handed."""

import math
from dataclasses import dataclass

from callboard.domain.run import Run
from callboard.engine.cron import Cron
from callboard.store.schedules import CatchUp, Overlap, Schedule

GRACE = 60.0  # seconds: a start that comes less late than this was not missed
MADE_UP = 1_000  # missed starts of one schedule that `all` makes up for, the latest ones


@dataclass(frozen=True, slots=True)
class Start:
    """Start the run that is due; then the schedule is due at `then`."""

    then: float


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave out what is due before `then`, because of `why`."""

    then: float
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The run of the start before has to end first; with `cancel`, it is told to."""

    cancel: bool


def decide(schedule: Schedule, cron: Cron, before: Run | None, now: float) -> Start | Leave | Wait:
    """The next step for a schedule whose time has come.

    Whether two runs overlap is asked of the moment at which the later one was due, not of the moment at which
    somebody looks: so all who look come to the same answer.

    Args:
        schedule: as the store has it, due at `now`.
        cron: its moments.
        before: the run that it started last, None if there is none any more.
        now: epoch seconds.
    """
    due, rule, missed = schedule.next_at, schedule.overlap, schedule.catch_up
    over = _over(before) if rule is not Overlap.ALLOW else -math.inf
    overlaps = due < over
    # Starts that are made up for one by one do not count as overlapping: they take turns.
    turns = missed is CatchUp.ALL and before is not None and due < before.created_at
    if overlaps and rule is Overlap.SKIP and not turns:
        return Leave(cron.after(now) if over > now else cron.at(over), "the run before had not ended")
    if over == math.inf:
        return Wait(cancel=rule is Overlap.REPLACE and not turns)
    waited = overlaps and not turns
    then = cron.at(over) if waited else cron.after(due)
    if now - (over if waited else due) <= GRACE:
        return Start(then)
    return _missed(schedule, cron, now, then)


def _missed(schedule: Schedule, cron: Cron, now: float, then: float) -> Start | Leave:
    """No worker ran when it was due, or it was paused."""
    due, first = schedule.next_at, schedule.next_at
    match schedule.catch_up:
        case CatchUp.NONE:
            return Leave(cron.at(now - GRACE), "it was missed")
        case CatchUp.LAST if then <= now:
            first = cron.latest(now)
        case CatchUp.ALL if now - due >= MADE_UP * (then - due) and cron.holds(due, now, MADE_UP):
            first = cron.last(now, MADE_UP)
    return Leave(first, "it was missed, and so was a later one") if first > due else Start(then)


def _over(before: Run | None) -> float:
    """When the run ended: never yet, or long ago if it is unknown."""
    if before is None:
        return -math.inf
    if not before.status.ended:
        return math.inf
    return before.finished_at if before.finished_at is not None else -math.inf
