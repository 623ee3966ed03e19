"""The price list of the library genai-prices, in our units. It is large: load it on first use, and off the event loop.

A list knows of a model: prices for input, output and what the provider keeps; dearer ones above some number of input
tokens, which then hold for all tokens of that call; and prices that hold from a day on or in some hours of the day.
Not taken from it: prices of sounds, pictures and pages, and of searches that a provider makes by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from callboard.models.info import Price

_QUARTER = 900  # seconds: no list changes a price within a quarter of an hour
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A model's prices. `tiers`: the number of input tokens above which each holds, in rising order, the first at 0.

    `dearest` is not below what any call can cost. `until` is when to look again, in epoch seconds.
    """

    tiers: tuple[tuple[int, Price], ...]
    dearest: Price
    until: float

    def at(self, tokens: int) -> Price:
        """The price of a call with so many input tokens."""
        found = self.tiers[0][1]
        for start, price in self.tiers:
            if tokens > start:
                found = price
        return found


class PriceList:
    """Takes about 0.2 s to load. Raises ModuleNotFoundError where the library is not installed."""

    def __init__(self) -> None:
        from importlib.metadata import version

        from genai_prices.data_snapshot import get_snapshot

        self._snapshot = get_snapshot()
        self._name = f"genai-prices {version('genai-prices')}"

    def find(self, provider: str, model: str, now: float) -> Listed | None:
        """A model's prices as they are at that time (epoch seconds); None for one that is not listed."""
        try:
            whose, found = self._snapshot.find_provider_model(model, None, provider, None)
        except LookupError:
            return None
        source = f"{self._name}: {whose.id}/{found.id}"
        begun = now // _QUARTER * _QUARTER
        moment = datetime.fromtimestamp(begun, UTC)
        tiers = _tiers(found.get_prices(moment), source)
        if not tiers:
            return None
        changing = found.prices if isinstance(found.prices, list) else []
        hourly = [each.prices for each in changing if hasattr(each.constraint, "start_time")]
        dear = dearest([price for part in (tiers, *(_tiers(each, source) for each in hourly)) for _, price in part])
        return Listed(tiers, dear, begun + _QUARTER if changing else float("inf"))


def dearest(prices: Sequence[Price]) -> Price:
    """A price that is not below any of these, whatever the provider has kept or puts aside."""
    return Price(
        max(max(price.input, price.cached or 0, price.written or 0) for price in prices),
        max(price.output for price in prices),
        None,
        max(price.request for price in prices),
        prices[0].source,
    )


def _tiers(prices: Any, source: str) -> tuple[tuple[int, Price], ...]:
    if prices.input_mtok is None and prices.output_mtok is None and prices.requests_kcount is None:
        return ()
    values = [prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok]
    starts = sorted({0, *(tier.start for value in values for tier in getattr(value, "tiers", ()))})
    return tuple([(start, _price(prices, start, source)) for start in starts])


def _price(prices: Any, start: int, source: str) -> Price:
    written = _micros(prices.output_mtok, start) or 0
    thought = _micros(prices.output_reasoning_mtok, start) or 0
    return Price(
        _micros(prices.input_mtok, start) or 0,
        max(written, thought),
        _micros(prices.cache_read_mtok, start),
        -(-(_micros(prices.requests_kcount, start) or 0) // 1_000),
        f"{source} above {start:,} tokens" if start else source,
        _micros(prices.cache_write_mtok, start),
    )


def _micros(value: Any, start: int) -> int | None:
    """Dollars, or dollars by tiers, as micro-dollars, rounded up."""
    if value is None:
        return None
    tiers: Iterable[Any] = getattr(value, "tiers", ())
    amount: Decimal = getattr(value, "base", value)
    for tier in tiers:
        if start >= tier.start:
            amount = tier.price
    return int((amount * _MICROS).to_integral_value(ROUND_CEILING))
