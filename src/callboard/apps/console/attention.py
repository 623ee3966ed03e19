"""What needs somebody now: the first page's list, worst first. Pure: it looks at what was read."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from callboard.apps.console.costs import Measured
from callboard.apps.console.formats import duration, percent
from callboard.apps.console.inbox import Waiting
from callboard.apps.console.rendering import HOME, link

Tone = Literal["bad", "warn", "quiet"]
_ORDER: dict[str, int] = {"bad": 0, "warn": 1, "quiet": 2}
_LATE = 60.0  # seconds for which a run may be ready before somebody should look
_URGENT = 3_600.0


class Notice(msgspec.Struct, frozen=True):
    """One thing that needs somebody: what it is, more about it, and where to look."""

    tone: Tone
    sign: str
    title: str
    about: str
    href: str


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """How those who execute are doing.

    Attributes:
        alive, stalled, gone: workers.
        ready: runs that could be executed.
        oldest: seconds for which one of them has been waiting; None without any, or where that is not shown.
    """

    alive: int
    stalled: int
    gone: int
    ready: int
    oldest: float | None


def fleet_of(workers: Iterable[Any], backlog: Any, lease: float, now: float) -> Fleet:
    """Counts workers (alive, stalled, gone) and how long the queue is."""
    states = [state_of(each, lease) for each in workers]
    return Fleet(
        alive=states.count("alive"),
        stalled=states.count("stalled"),
        gone=states.count("gone"),
        ready=backlog.ready,
        oldest=None if backlog.oldest is None else max(0.0, now - backlog.oldest),
    )


def state_of(worker: Any, lease: float) -> str:
    """`alive`, `stalled` (it has not beaten for a lease) or `gone`."""
    return "gone" if not worker.alive else "stalled" if worker.beat_age > lease else "alive"


def of_failures(kinds: Sequence[tuple[str, int]], href: str, *, whole: bool = True) -> list[Notice]:
    """Runs that failed or died, by class of error; not `whole` where there are more than were counted."""
    count = sum(number for _, number in kinds)
    if not count:
        return []
    about = ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in kinds[:4])
    return [Notice("bad", "failed", f"{_runs(count, whole)} failed in 24 h", about, href)]


def of_approvals(waiting: Sequence[Waiting], *, more: bool = False) -> list[Notice]:
    """Questions to people, with the nearest deadline; `more` where there are others with later ones."""
    if not waiting:
        return []
    nearest = min((row.left for row in waiting if row.left is not None), default=None)
    said = (
        "no deadline" if nearest is None else "past" if nearest < 0 else f"the nearest deadline in {duration(nearest)}"
    )
    title = f"{len(waiting)}{'+' if more else ''} question{'s wait' if len(waiting) > 1 else ' waits'} for a person"
    tone: Tone = "bad" if nearest is not None and nearest < _URGENT else "warn"
    return [Notice(tone, "approvals", title, said, f"{HOME}/approvals")]


def of_budgets(budgets: Iterable[Measured]) -> list[Notice]:
    """Budgets that are full, or nearly."""
    found = []
    for each in budgets:
        if each.tone:
            title = f"{each.budget} has nothing left" if each.tone == "bad" else f"{each.budget} is nearly used up"
            tone: Tone = "bad" if each.tone == "bad" else "warn"
            found.append(Notice(tone, "costs", title, f"{percent(each.share)} of {each.measure}", f"{HOME}/costs"))
    return found


def of_upstreams(upstreams: Iterable[Any]) -> list[Notice]:
    """Upstreams that are left alone because they failed."""
    found = []
    for each in upstreams:
        phase = each.state.get("phase")
        if phase in ("open", "half_open"):
            tone: Tone = "bad" if phase == "open" else "warn"
            said = "is left alone" if phase == "open" else "is being tried again"
            about = str(each.state.get("why") or "")
            found.append(Notice(tone, "health", f"Upstream {each.name} {said}", about, f"{HOME}/health"))
    return found


def of_fleet(fleet: Fleet) -> list[Notice]:
    """Missing workers, and a queue that nobody comes to."""
    found = []
    if not fleet.alive:
        tone: Tone = "bad" if fleet.ready else "warn"
        about = f"{_runs(fleet.ready)} ready" if fleet.ready else "nothing is ready either"
        found.append(Notice(tone, "health", "No worker is alive", about, f"{HOME}/health"))
    elif fleet.stalled:
        found.append(Notice("warn", "health", f"{fleet.stalled} of the workers stalled", "", f"{HOME}/health"))
    if fleet.oldest is not None and fleet.oldest > _LATE:
        about = f"{_runs(fleet.ready)} ready, the oldest for {duration(fleet.oldest)}"
        found.append(Notice("warn", "wait", "The queue does not move as it should", about, f"{HOME}/health"))
    return found


def of_stuck(blocked: int, dead: int) -> list[Notice]:
    """Runs that go on only when somebody acts."""
    found = []
    if blocked:
        about = "their journal and the code disagree"
        href = link(f"{HOME}/runs", {}, status="blocked")
        found.append(Notice("warn", "blocked", f"{_runs(blocked)} blocked", about, href))
    if dead:
        href = link(f"{HOME}/runs", {}, status="dead")
        found.append(Notice("warn", "dead", f"{_runs(dead)} in the dead letters", "they killed their workers", href))
    return found


def of_controls(controls: Iterable[Any]) -> list[Notice]:
    """What operators hold back."""
    return [
        Notice(
            "quiet",
            "waiting",
            f"{each.scope} {each.name} is paused",
            f"by {each.by}" if each.by else "",
            f"{HOME}/health",
        )
        for each in controls
        if each.paused
    ]


def worst_first(notices: Iterable[Notice]) -> list[Notice]:
    """In the order in which to look at them."""
    return sorted(notices, key=lambda each: _ORDER[each.tone])


def _runs(number: int, whole: bool = True) -> str:
    return f"{number:,}{'' if whole else '+'} run{'' if number == 1 else 's'}"
