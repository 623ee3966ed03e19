"""What an agent may use up, and how much it has."""

from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.usage import NOTHING, Usage, dollars, micros


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one agent run. Reaching one ends it with LimitReached, which names it and carries what there was.

    Args:
        turns: model calls.
        tool_calls: calls of tools, refused ones included.
        seconds: time from beginning to end, waits included.
        tokens: input and output tokens of all model calls.
        usd: money for all model calls, in dollars as text.
        depth: how deep agents and child runs may nest.
    """

    turns: int = 25
    tool_calls: int = 100
    seconds: float = 3600.0
    tokens: int = 1_000_000
    usd: str = "10.00"
    depth: int = 16

    def __post_init__(self) -> None:
        for name in ("turns", "tool_calls", "tokens", "depth"):
            value = getattr(self, name)
            if not isinstance(value, int) or value is True or value < 1:
                raise InputInvalid(f"limit {name}={value!r} is not a whole number above 0", remedy="raise it")
        if not self.seconds > 0:
            raise InputInvalid(f"limit seconds={self.seconds!r} is not a number above 0", remedy="raise it")
        micros(self.usd)

    @property
    def cost(self) -> int:
        """The money limit in micro-dollars."""
        return micros(self.usd)


class Meter:
    """Counts what an agent run has used."""

    __slots__ = ("_cost", "limits", "tool_calls", "turns", "usage")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._cost = limits.cost
        self.turns = 0
        self.tool_calls = 0
        self.usage: Usage = NOTHING

    def before_model(self) -> str | None:
        """The limit that forbids another model call, if one does."""
        limits = self.limits
        if self.turns >= limits.turns:
            return "turns"
        if self.usage.tokens >= limits.tokens:
            return "tokens"
        if self.usage.cost >= self._cost:
            return "usd"
        return None

    def left(self, spent: Usage) -> tuple[int, int]:
        """Tokens and micro-dollars that there are for a model call whose earlier attempts were charged so much."""
        used = self.usage + spent if spent is not NOTHING else self.usage
        return self.limits.tokens - used.tokens, self._cost - used.cost

    def before_tools(self, calls: int) -> str | None:
        """The limit that forbids so many more tool calls, if one does."""
        return "tool_calls" if self.tool_calls + calls > self.limits.tool_calls else None

    def describe(self, reason: str) -> str:
        """The limit in words."""
        value = getattr(self.limits, reason)
        return f"{reason} ({dollars(self.limits.cost)} dollars)" if reason == "usd" else f"{reason} ({value:,})"

    def partial(self, text: str) -> dict[str, Any]:
        """What there is, as LimitReached carries it."""
        return {
            "text": text,
            "turns": self.turns,
            "tool_calls": self.tool_calls,
            "usage": {
                "input_tokens": self.usage.input_tokens,
                "output_tokens": self.usage.output_tokens,
                "cost": self.usage.cost,
            },
        }
