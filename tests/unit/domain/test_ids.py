"""Ids are unique, sort by the time they were made, and never go back."""

import itertools
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.domain.ids import LENGTH, Ids, is_id


def test_many_ids_are_unique_and_in_order() -> None:
    ids = Ids(time.time, os.urandom)
    made = [ids.new() for _ in range(200_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_of_many_makers_in_one_millisecond_differ() -> None:
    makers = [Ids(lambda: 1_700_000_000.0, os.urandom) for _ in range(1_000)]
    made = [maker.new() for maker in makers for _ in range(10)]
    assert len(set(made)) == len(made)


def test_an_id_made_later_elsewhere_sorts_later() -> None:
    early = Ids(lambda: 1_700_000_000.000, lambda n: b"\xff" * n)
    late = Ids(lambda: 1_700_000_000.001, lambda n: b"\x00" * n)
    assert early.new() < late.new()


def test_ids_go_on_rising_when_the_clock_is_set_back() -> None:
    times = itertools.chain([1_700_000_000.0, 1_600_000_000.0, 0.0], itertools.repeat(1_650_000_000.0))
    ids = Ids(lambda: next(times), os.urandom)
    made = [ids.new() for _ in range(1_000)]
    assert made == sorted(set(made))


def test_ids_rise_when_chance_gives_the_highest_value_twice() -> None:
    ids = Ids(lambda: 1_700_000_000.0, lambda n: b"\xff" * n)
    made = [ids.new() for _ in range(3)]
    assert made == sorted(set(made))


def test_time_and_randomness_are_handed_in() -> None:
    def maker() -> Ids:
        return Ids(lambda: 1_700_000_000.0, bytes)

    assert maker().new() == maker().new() == "01hf7yat000000000000000000"


@given(seconds=st.integers(0, 2**48 // 1000 - 1), chance=st.binary(min_size=10, max_size=10))
def test_every_id_has_the_form_of_one(seconds: int, chance: bytes) -> None:
    made = Ids(lambda: seconds, lambda _: chance).new()
    assert len(made) == LENGTH
    assert is_id(made)


@pytest.mark.parametrize("text", ["", "0" * 25, "0" * 27, "0" * 25 + "u", "0" * 25 + "A", "é" * 26, "0" * 25 + "\n"])
def test_other_texts_are_no_ids(text: str) -> None:
    assert not is_id(text)
