"""The figures as a table for people and as JSON for programs."""

from collections.abc import Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figure import GOALS, Better, Figure, Goal


def table(figures: Mapping[str, Figure], kind: str) -> Table:
    """One row a key, in the order of the goals."""
    out = Table("key", "what", "value", "unit", "floor", "ratio", "aim", "verdict", box=None, pad_edge=False)
    for column in out.columns:
        column.no_wrap = column.header != "what"
        column.justify = "right" if column.header in ("value", "floor", "ratio", "aim") else "left"
    for goal in GOALS:
        if (figure := figures.get(goal.key)) is not None:
            floor, ratio = (_number(number) for number in (figure.floor, figure.ratio))
            value = _value(figure)
            out.add_row(
                goal.key, goal.what, value, goal.unit, floor, ratio, _aim(goal, kind), _verdict(goal, figure, kind)
            )
    return out


def show(figures: Mapping[str, Figure], kind: str) -> None:
    """Prints the table, never narrower than it has to be."""
    console = Console()
    console.width = max(console.width, 150)
    console.print(table(figures, kind))


def line(figures: Mapping[str, Figure]) -> str:
    """The figures of one workload, in a line that says how it goes."""
    units = {goal.key: goal.unit for goal in GOALS}
    return ", ".join(f"{key} {_value(figure)} {units[key]}" for key, figure in figures.items())


def as_json(figures: Mapping[str, Figure]) -> bytes:
    """Value, unit, which way is better, floor, ratio and spread of each key."""
    found: dict[str, Any] = {}
    for goal in GOALS:
        if (figure := figures.get(goal.key)) is not None:
            found[goal.key] = {
                "value": figure.value,
                "unit": goal.unit,
                "better": goal.better,
                "floor": figure.floor,
                "ratio": figure.ratio,
                "spread": figure.spread,
            }
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def _aim(goal: Goal, kind: str) -> str:
    aim = goal.aim(kind)
    if aim is None:
        return "–"
    sign = "≥" if goal.better is Better.HIGHER else "≤"
    return f"{sign} {_number(aim)}{' × floor' if goal.of_floor else ''}"


def _verdict(goal: Goal, figure: Figure, kind: str) -> str:
    """Met, or the factor by which the value is on the wrong side of the aim."""
    aim = goal.aim(kind)
    if aim is None:
        return ""
    reached = figure.ratio if goal.of_floor else figure.value
    if not reached or reached != reached:
        return "not measured"
    missed = reached / aim if goal.better is Better.LOWER else aim / reached
    return "met" if missed <= 1 else f"missed by {missed:.2f} times"


def _value(figure: Figure) -> str:
    if figure.spread is None:
        return _number(figure.value)
    low, high = figure.spread
    return f"{_number(figure.value)} ({_number(low)} to {_number(high)})"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
