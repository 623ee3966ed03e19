"""Conditions under which an agent is done, though its model might go on.

A condition is a pure function of a turn: after a crash the turns are gone through again, and it must say the same.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.message import ToolCall, ToolResult
from callboard.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of an agent, as a condition sees it.

    Attributes:
        number: from 1.
        text: what the model said.
        calls: what it called, and `results` what came of that; both empty for an answer.
        usage: what the agent has used so far.
        idle: how many turns ago, this one included, it last called anything.
    """

    number: int
    text: str
    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]
    usage: Usage
    idle: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """A named condition.

    Attributes:
        name: what the result says.
        when: True ends the agent after that turn.
        fails: it ends with LimitReached also when there is an answer, so that the caller has to decide.
    """

    name: str
    when: Callable[[Turn], bool]
    fails: bool = False


def stopped(conditions: Sequence[Stop], turn: Turn) -> Stop | None:
    """The first condition that holds."""
    return next((each for each in conditions if each.when(turn)), None)


def after_tool(name: str) -> Stop:
    """Ends the agent once a tool was called with success; what it said in that turn is the answer."""
    return Stop(f"after_{name}", lambda turn: any(r.name == name and r.error is None for r in turn.results))


def when_said(pattern: str) -> Stop:
    """Ends the agent when its words match a regular expression. Raises InputInvalid for one that is none."""
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise InputInvalid(f"{pattern!r} is no regular expression: {error}", remedy="mend it") from error
    return Stop("said", lambda turn: found.search(turn.text) is not None)


def unsure(below: float, field: str = "confidence") -> Stop:
    """Does not let an answer pass whose own number in `field` (a JSON object's member) is below a bound."""

    def low(turn: Turn) -> bool:
        value = None if turn.calls else _member(turn.text, field)
        return isinstance(value, int | float) and not isinstance(value, bool) and value < below

    return Stop("low_confidence", low, fails=True)


def _member(text: str, field: str) -> Any:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return value.get(field) if isinstance(value, dict) else None
