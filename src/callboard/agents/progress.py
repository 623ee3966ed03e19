"""Whether an agent still gets anywhere: calls that repeat, calls and agents in turn, turns that bring nothing new.

What counts is a call together with its result: a tool that is polled and answers something new is progress. The
patterns are those by which "step repetition" and loops between agents are told in studies of failed runs (Cemri et al.,
"Why Do Multi-Agent LLM Systems Fail?", 2025). Pure, and a turn costs the same however many came before it.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from callboard.domain.codec import digest
from callboard.domain.errors import InputInvalid
from callboard.domain.message import ToolCall, ToolResult


class Pattern(StrEnum):
    """How an agent can be stuck."""

    REPEATED_CALL = "repeated_call"
    ALTERNATING_CALLS = "alternating_calls"
    NOTHING_NEW = "nothing_new"
    ALTERNATING_AGENTS = "alternating_agents"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """When an agent counts as stuck. 0 switches a rule off.

    Attributes:
        repeats: one call with the same arguments and the same result, so many times in a row.
        rounds: two calls in turn (A-B-A-B), or two agents, so many times each, all with the same results.
        stale: turns in a row in which every call and its result had been there before.
    """

    repeats: int = 4
    rounds: int = 4
    stale: int = 8

    def __post_init__(self) -> None:
        for name in ("repeats", "rounds", "stale"):
            value: Any = getattr(self, name)
            if type(value) is not int or value < 0 or value == 1:
                raise InputInvalid(
                    f"progress: {name}={value!r} is neither 0 nor a whole number above 1", remedy=f"change {name}"
                )


class Stall(msgspec.Struct, frozen=True):
    """That an agent is stuck: in which pattern, and what repeats."""

    pattern: Pattern
    what: str


class Series:
    """A row of things, looked at for repetition and alternation."""

    __slots__ = ("_alternating", "_before", "_last", "_repeats")

    def __init__(self) -> None:
        self._last = b""
        self._before = b""
        self._repeats = 0  # how often the last one came in a row
        self._alternating = 0  # how many in a row were equal to the one before the last

    def add(self, each: bytes) -> None:
        """Takes in the next one."""
        self._repeats = self._repeats + 1 if each == self._last else 1
        self._alternating = self._alternating + 1 if each == self._before and each != self._last else 0
        self._before, self._last = self._last, each

    def repeated(self, times: int) -> bool:
        """Whether the last one came so many times in a row."""
        return 0 < times <= self._repeats

    def alternated(self, rounds: int) -> bool:
        """Whether the last ones are two in turn, so many times each."""
        return 0 < 2 * rounds <= self._alternating + 2 and self._alternating > 0


class Watch:
    """Watches the tool calls of one agent run."""

    __slots__ = ("_calls", "_rules", "_seen", "_stale")

    def __init__(self, rules: Progress | None) -> None:
        self._rules = rules
        self._calls = Series()
        self._seen: set[bytes] = set()
        self._stale = 0

    def turn(self, calls: Sequence[ToolCall], results: Sequence[ToolResult]) -> Stall | None:
        """Takes in the calls of a turn with their results, in the same order; says so when the agent is stuck."""
        rules = self._rules
        if rules is None or not calls:
            return None
        fresh = False
        found: Stall | None = None
        for call, result in zip(calls, results, strict=True):
            pair = digest(call.name, call.arguments, call.raw, result.content, result.error)
            fresh = fresh or pair not in self._seen
            self._seen.add(pair)
            self._calls.add(pair)
            if self._calls.repeated(rules.repeats):
                found = Stall(Pattern.REPEATED_CALL, f"{call.name}, {rules.repeats} times with the same result")
            elif self._calls.alternated(rules.rounds):
                found = Stall(Pattern.ALTERNATING_CALLS, f"{call.name} and the call before it, in turn")
        self._stale = 0 if fresh else self._stale + 1
        if found is None and 0 < rules.stale <= self._stale:
            found = Stall(Pattern.NOTHING_NEW, f"the last {self._stale} turns")
        return found


class Handoffs:
    """Watches which agents a flow calls one after the other, in one scope."""

    __slots__ = ("_agents", "_last")

    def __init__(self) -> None:
        self._agents = Series()
        self._last = ""

    def add(self, agent: str, asked: Any, answered: Any, rules: Progress | None) -> Stall | None:
        """Takes in an agent's input and output; says so when two agents only hand the same things to each other."""
        self._agents.add(digest(agent, asked, answered))
        before, self._last = self._last, agent
        if rules is None or before == agent or not self._agents.alternated(rules.rounds):
            return None
        return Stall(Pattern.ALTERNATING_AGENTS, f"{before} and {agent}, {rules.rounds} times each")
