"""Money is exact, in micro-dollars, and usage adds up field by field."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.domain.errors import InputInvalid
from callboard.domain.usage import NOTHING, Usage, dollars, micros

counts = st.integers(0, 2**62)
usages = st.builds(Usage, counts, counts, counts, counts, counts)


@pytest.mark.parametrize(
    ("usd", "amount"),
    [
        ("0", 0),
        ("0.25", 250_000),
        ("0.000001", 1),
        (3, 3_000_000),
        (Decimal("1.10"), 1_100_000),
        ("1e-6", 1),
        ("1000000", 10**12),
        ("0.10000000", 100_000),
    ],
)
def test_dollars_become_micro_dollars(usd: Any, amount: int) -> None:
    assert micros(usd) == amount


@pytest.mark.parametrize(
    "usd",
    ["-0.01", "0.0000001", "NaN", "sNaN", "Infinity", "-Infinity", "", "a", "0,25", 0.1, 1.0, True, None, [], b"1"],
)
def test_what_is_no_exact_amount_is_refused_with_a_remedy(usd: Any) -> None:
    with pytest.raises(InputInvalid) as caught:
        micros(usd)
    assert repr(usd) in caught.value.what
    assert caught.value.remedy


@given(st.integers(0, 10**18))
def test_micro_dollars_survive_being_written_as_dollars(amount: int) -> None:
    assert micros(dollars(amount)) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (250_000, "0.25"),
        (1, "0.000001"),
        (1_000_000, "1.00"),
        (-1_500_000, "-1.50"),
        (-1, "-0.000001"),
        (1_234_567, "1.234567"),
    ],
)
def test_dollars_are_written_with_the_decimals_they_need(amount: int, text: str) -> None:
    assert dollars(amount) == text


@given(usages, usages, usages)
def test_usage_adds_up_in_any_order(a: Usage, b: Usage, c: Usage) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + NOTHING == a


def test_every_field_of_usage_is_added() -> None:
    one, two = Usage(1, 10, 100, 1_000, 10_000, 100_000), Usage(2, 20, 200, 2_000, 20_000, 200_000)
    assert one + two == Usage(3, 30, 300, 3_000, 30_000, 300_000)
    assert len(msgspec.structs.fields(Usage)) == 6


def test_tokens_are_those_of_input_and_output() -> None:
    assert Usage(input_tokens=5, output_tokens=7, cached_tokens=4, reasoning_tokens=6).tokens == 12
