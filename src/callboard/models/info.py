"""What is known of a model before it is asked: its window, its abilities, its price."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from callboard.domain.usage import Usage

_MILLION = 1_000_000


class Ability(StrEnum):
    """What a request may need of a model."""

    TOOLS = "tools"
    IMAGES = "images"
    SCHEMA = "schema"
    REASONING = "reasoning"


class Price(msgspec.Struct, frozen=True, omit_defaults=True):
    """Micro-dollars for a million tokens. `source` says where it is from: a list with its date, or the settings.

    `cached` is for input tokens that the provider had kept, `written` for those that it puts aside to keep them,
    `request` for the call itself, in micro-dollars.
    """

    input: int
    output: int
    cached: int | None = None
    request: int = 0
    source: str = ""
    written: int | None = None

    def of(self, usage: Usage) -> int:
        """What so many tokens cost, in micro-dollars, rounded up so that nothing is free by rounding."""
        kept = self.input if self.cached is None else self.cached
        laid = self.input if self.written is None else self.written
        fresh = max(0, usage.input_tokens - usage.cached_tokens - usage.written_tokens)
        total = fresh * self.input + usage.cached_tokens * kept + usage.written_tokens * laid
        total += usage.output_tokens * self.output
        return self.request - (-total // _MILLION)


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model of one provider.

    Attributes:
        name: as the provider names it.
        provider: whose it is, as prices and messages name it; "" for one of this process.
        upstream: under which name its limits and its breaker are kept.
        context: tokens that fit into its window, None if unknown.
        max_output: tokens that it writes at most, None if unknown.
        abilities: what it can do; None if unknown, and then it is asked for anything.
        price: its price, where it is not that of the price list.
    """

    name: str
    provider: str = ""
    upstream: str = ""
    context: int | None = None
    max_output: int | None = None
    abilities: frozenset[Ability] | None = None
    price: Price | None = None

    def lacks(self, needed: Iterable[Ability]) -> list[Ability]:
        """What it cannot do of what is needed."""
        return [] if self.abilities is None else [each for each in needed if each not in self.abilities]


def info_of(model: Any) -> ModelInfo:
    """What a model says about itself in its attribute `info`; one that says nothing is its own upstream."""
    info = getattr(model, "info", None)
    return info if isinstance(info, ModelInfo) else ModelInfo(name=model.name, upstream=model.name)
