"""Prices in micro-dollars for a million tokens, from the installed price list and over it."""

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from genai_prices.types import ModelInfo as ListedModel

from callboard.domain.usage import Usage
from callboard.models.info import ModelInfo, Price
from callboard.models.price_list import PriceList
from callboard.models.pricing import Prices

OURS = Price(2_000_000, 8_000_000, 500_000, 0, "settings")


def info(name: str, provider: str = "", price: Price | None = None) -> ModelInfo:
    return ModelInfo(name=name, provider=provider, price=price)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a price list of one provider with these models in place of the bundled one."""

    def put(**models: Any) -> None:
        found = [ListedModel(name, ClauseEquals(equals=name), prices=prices) for name, prices in models.items()]
        provider = Provider(id="acme", name="Acme", api_pattern="acme", models=found)
        snapshot = DataSnapshot(providers=[provider], from_auto_update=False)
        monkeypatch.setattr("genai_prices.data_snapshot._custom_snapshot", snapshot)

    return put


def test_a_deployments_price_comes_first_then_the_models_own_then_the_list() -> None:
    own = Price(1, 1, source="own")
    prices = Prices({"openai:gpt-5": OURS, "mine": OURS})
    assert prices.of(info("gpt-5", "openai", own), 1) == OURS
    assert prices.of(info("mine"), 1) == OURS
    assert prices.of(info("gpt-5-mini", "openai", own), 1) == own
    listed = prices.of(info("gpt-5-mini", "openai"), 1)
    assert listed is not None
    assert listed.source.startswith("genai-prices ")
    assert listed.source.endswith(": openai/gpt-5-mini")


def test_a_listed_price_is_that_of_the_list() -> None:
    listed = get_snapshot().find_provider_model("claude-sonnet-4-5", None, "anthropic", None)[1].prices
    assert isinstance(listed, ModelPrice)
    found = Prices().of(info("claude-sonnet-4-5", "anthropic"), 100)
    assert found is not None
    written = {"input": listed.input_mtok, "output": listed.output_mtok, "cached": listed.cache_read_mtok}
    for name, value in {**written, "written": listed.cache_write_mtok}.items():
        assert isinstance(value, TieredPrices)
        assert getattr(found, name) == value.base * 1_000_000


def test_who_has_no_provider_and_whom_nobody_knows_has_no_price() -> None:
    prices = Prices()
    assert prices.of(info("scripted")) is None
    assert prices.of(info("gpt-5")) is None  # a model of that name elsewhere is another matter
    assert prices.of(info("no-such-model", "openai")) is None
    assert prices.of(info("qwen3", "openai-compatible")) is None
    assert prices.of(info("whisper-1", "openai")) is None  # it has a price, but not by what we count


def test_a_tier_holds_for_calls_above_it_and_reservations_take_the_dearest(listing: Any) -> None:
    def tiered(base: str, dear: str) -> TieredPrices:
        return TieredPrices(Decimal(base), [Tier(200, Decimal(dear))])

    listing(m=ModelPrice(input_mtok=tiered("1", "2"), output_mtok=tiered("4", "3"), cache_write_mtok=Decimal("1.5")))
    prices, model = Prices(), info("m", "acme")
    low, high = prices.of(model, 200), prices.of(model, 201)
    assert low is not None
    assert high is not None
    assert (low.input, low.output, low.written) == (1_000_000, 4_000_000, 1_500_000)
    assert (high.input, high.output, high.written) == (2_000_000, 3_000_000, 1_500_000)
    assert high.source.endswith("acme/m above 200 tokens")
    dear = prices.of(model)
    assert dear is not None
    for usage in (Usage(150, 10), Usage(900, 10), Usage(900, 10, cached_tokens=500, written_tokens=400)):
        settled = prices.of(model, usage.input_tokens)
        assert settled is not None
        assert dear.of(usage) >= settled.of(usage)
    assert (dear.input, dear.output) == (2_000_000, 4_000_000)


def test_a_reservation_is_not_below_a_call_that_puts_everything_aside(listing: Any) -> None:
    listing(m=ModelPrice(input_mtok=Decimal(3), output_mtok=Decimal(15), cache_write_mtok=Decimal("3.75")))
    prices, model = Prices(), info("m", "acme")
    dear, real = prices.of(model), prices.of(model, 1)
    assert dear is not None
    assert real is not None
    usage = Usage(1_000, 0, written_tokens=1_000)
    assert real.of(usage) == 3_750
    assert dear.of(Usage(1_000, 0)) == 3_750
    own = Price(3_000_000, 0, source="own", written=3_750_000)
    found = prices.of(info("mine", price=own))
    assert found is not None
    assert found.of(Usage(1_000, 0)) == 3_750


def test_a_price_that_begins_on_a_day_and_one_of_the_night(listing: Any) -> None:
    listing(
        new=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(1))),
            ConditionalPrice(StartDateConstraint(date(2026, 3, 1)), prices=ModelPrice(input_mtok=Decimal(2))),
        ],
        night=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(8))),
            ConditionalPrice(TimeOfDateConstraint(time(22), time(6)), prices=ModelPrice(input_mtok=Decimal(5))),
        ],
        dearer=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(5))),
            ConditionalPrice(TimeOfDateConstraint(time(8), time(20)), prices=ModelPrice(input_mtok=Decimal(9))),
        ],
    )
    now = at("2026-02-28 23:59")
    prices = Prices(now=lambda: now)

    def asked(name: str, tokens: int | None = 1) -> int:
        found = prices.of(info(name, "acme"), tokens)
        assert found is not None
        return found.input // 1_000_000

    assert [asked("new"), asked("night"), asked("dearer")] == [1, 5, 5]
    assert [asked("new", None), asked("dearer", None)] == [1, 9]
    now = at("2026-03-01 00:00")
    assert [asked("new"), asked("new", None)] == [2, 2]
    now = at("2026-03-01 08:00")
    assert [asked("night"), asked("dearer")] == [8, 9]


def test_prices_for_calls_and_parts_of_micro_dollars_are_rounded_up(listing: Any) -> None:
    listing(
        m=ModelPrice(
            input_mtok=Decimal("0.0000001"),
            requests_kcount=Decimal("12.0001"),
            output_mtok=Decimal(1),
            output_reasoning_mtok=Decimal(3),
        )
    )
    found = Prices().of(info("m", "acme"), 1)
    assert found is not None
    assert (found.input, found.request, found.output) == (1, 12_001, 3_000_000)
    assert found.of(Usage(1, 1)) == 12_001 + 4


def test_cached_written_and_fresh_tokens_are_counted_once_each() -> None:
    price = Price(10_000_000, 50_000_000, 1_000_000, 7, written=12_000_000)
    assert price.of(Usage(100, 10, cached_tokens=60, written_tokens=30)) == 7 + 100 + 60 + 360 + 500
    assert OURS.of(Usage(10, 0, cached_tokens=4, written_tokens=6)) == 2 + 12


async def test_the_list_is_loaded_once_and_not_in_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[bool] = []

    class Counted(PriceList):
        def __init__(self) -> None:
            loads.append(threading.current_thread() is threading.main_thread())
            super().__init__()

    monkeypatch.setattr("callboard.models.pricing.PriceList", Counted)
    prices = Prices({"mine": OURS})
    assert await prices.find(info("mine", "openai")) is not None
    assert await prices.find(info("scripted")) is None
    assert loads == []
    found = await asyncio.gather(*(prices.find(info("gpt-5", "openai")) for _ in range(4)))
    assert set(found) == {prices.of(info("gpt-5", "openai"))} != {None}
    assert await prices.find(info("no-such-model", "openai")) is None
    assert loads == [False]


def test_without_the_library_only_what_is_set_has_a_price() -> None:
    code = """
import sys
sys.modules["genai_prices"] = None
from callboard.models.info import ModelInfo, Price
from callboard.models.pricing import Prices
prices = Prices({"a": Price(1, 1)})
assert prices.of(ModelInfo(name="a", provider="openai")) == Price(1, 1)
assert prices.of(ModelInfo(name="gpt-5", provider="openai")) is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)
