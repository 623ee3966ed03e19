"""What runs cost, arranged for a chart and for a table that says the same."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from callboard.runtime import Spent

_SHOWN = 5  # groups that a chart tells apart; the others are one more
OTHERS = "others"
_MICROS = 1_000_000


class Line(msgspec.Struct, frozen=True):
    """One group of a chart: its name, and its figure for each day."""

    name: str
    values: list[float]


def days(since: float, until: float) -> list[str]:
    """Each day between two times (epoch seconds), by the calendar in UTC."""
    first, last = (datetime.fromtimestamp(at, UTC).date() for at in (since, until))
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def over_time(rows: Sequence[Spent], dates: Sequence[str]) -> list[Line]:
    """What each of the dearest groups cost on each day, in dollars, and the others together. They are dearest first."""
    lines = [Line(row.name, _values(row, dates)) for row in rows[:_SHOWN]]
    others = [sum(values) for values in zip(*[_values(row, dates) for row in rows[_SHOWN:]], strict=True)]
    return [*lines, Line(OTHERS, others)] if any(others) else lines


def daily(found: Iterable[Spent], dates: Sequence[str]) -> list[Spent]:
    """One for each day, also for those without a run."""
    known = {row.name: row for row in found}
    return [known.get(day) or Spent(name=day) for day in dates]


def _values(row: Spent, dates: Sequence[str]) -> list[float]:
    return [row.days.get(day, 0) / _MICROS for day in dates]
