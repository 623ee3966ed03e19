"""What runs cost, arranged for a chart and for a table that says the same. Money in micro-dollars."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from callboard.domain.run import RunStatus
from callboard.domain.usage import NOTHING, Usage
from callboard.runtime import Cost

GROUPS = ("flow", "version", "status")  # what rows of runs can be summed by
_SHOWN = 5  # groups that a chart tells apart; the others are one more
OTHERS = "others"
_UNDONE = frozenset({RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.DEAD})


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of one group cost.

    Attributes:
        name: of the group.
        runs: how many; with `roots`, without those that another run started.
        succeeded, failed: how many of them did, or failed or died.
        usage: of all of them, the children too.
        wasted: what those cost that did not succeed.
    """

    name: str
    runs: int = 0
    succeeded: int = 0
    failed: int = 0
    usage: Usage = NOTHING
    wasted: int = 0

    @property
    def per_success(self) -> int | None:
        """What each run that succeeded cost, with all that did not; None while none has."""
        return round(self.usage.cost / self.succeeded) if self.succeeded else None

    @property
    def cached(self) -> float | None:
        """Which share of the input providers had kept."""
        return self.usage.cached_tokens / self.usage.input_tokens if self.usage.input_tokens else None


class Line(msgspec.Struct, frozen=True):
    """One group of a chart: its name, and its figure for each day."""

    name: str
    values: list[float]


def spent(costs: Iterable[Cost], name: str, *, roots: bool) -> Spent:
    """All of it together."""
    runs = succeeded = failed = wasted = 0
    usage = NOTHING
    for cost in costs:
        usage += cost.usage
        wasted += cost.usage.cost if cost.status in _UNDONE else 0
        if not (roots and cost.child):
            runs += cost.runs
            succeeded += cost.runs if cost.status is RunStatus.SUCCEEDED else 0
            failed += cost.runs if cost.status in (RunStatus.FAILED, RunStatus.DEAD) else 0
    return Spent(name=name, runs=runs, succeeded=succeeded, failed=failed, usage=usage, wasted=wasted)


def groups(costs: Iterable[Cost], by: str) -> list[Spent]:
    """One for each flow, version or status, what cost most first."""
    found: dict[str, list[Cost]] = {}
    for cost in costs:
        found.setdefault(group_of(cost, by), []).append(cost)
    rows = [spent(each, name, roots=by == "status") for name, each in found.items()]
    return sorted(rows, key=lambda row: (-row.usage.cost, -row.runs, row.name))


def group_of(cost: Cost, by: str) -> str:
    """To which group it belongs."""
    match by:
        case "version":
            return f"{cost.flow}@{cost.version}"
        case "status":
            return str(cost.status)
        case _:
            return cost.flow


def days(since: float, until: float) -> list[str]:
    """Each day between two times (epoch seconds), by the calendar in UTC."""
    first, last = (datetime.fromtimestamp(at, UTC).date() for at in (since, until))
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def over_time(costs: Sequence[Cost], by: str, dates: Sequence[str]) -> list[Line]:
    """What each of the dearest groups cost on each day, in dollars, and the others together."""
    shown = [row.name for row in groups(costs, by)[:_SHOWN]]
    place = {day: n for n, day in enumerate(dates)}
    lines = {name: [0] * len(dates) for name in (*shown, OTHERS)}
    for cost in costs:
        if cost.day in place:
            name = group_of(cost, by)
            lines[name if name in lines else OTHERS][place[cost.day]] += cost.usage.cost
    return [
        Line(name, [value / 1_000_000 for value in values])
        for name, values in lines.items()
        if name != OTHERS or any(values)
    ]


def daily(costs: Iterable[Cost], dates: Sequence[str]) -> list[Spent]:
    """One for each day, also for those without a run."""
    found: dict[str, list[Cost]] = {day: [] for day in dates}
    for cost in costs:
        if cost.day in found:
            found[cost.day].append(cost)
    return [spent(each, day, roots=True) for day, each in found.items()]
