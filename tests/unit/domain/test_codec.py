"""What is stored is JSON and comes back equal; what JSON cannot hold is refused with its place."""

import dataclasses
import datetime
import decimal
import enum
import math
import uuid
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.domain.codec import clean, decode, digest, encode
from callboard.domain.errors import Unencodable

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float
    inner: Any = None


class Order(pydantic.BaseModel):
    total: float = 1.5
    tags: list[str] = []
    note: str | None = None


class Row(msgspec.Struct):
    x: float
    y: int | None = None


def refusal(value: Any) -> Unencodable:
    with pytest.raises(Unencodable) as caught:
        encode(value, "the result")
    assert caught.value.what.startswith("the result")
    assert caught.value.remedy
    return caught.value


def nested(depth: int, leaf: Any) -> Any:
    value = leaf
    for _ in range(depth):
        value = [value]
    return value


@given(json_values)
def test_json_comes_back_equal(value: Any) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (Point(1.5, [Row(2.5)]), {"x": 1.5, "inner": [{"x": 2.5, "y": None}]}),
        (Order(tags=["a"]), {"total": 1.5, "tags": ["a"], "note": None}),
        ({"orders": [Order(), Order()]}, {"orders": [{"total": 1.5, "tags": [], "note": None}] * 2}),
        ((1, "a", None), [1, "a", None]),
        (Colour.RED, "red"),
        (decimal.Decimal("0.10"), "0.10"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (frozenset({1}), [1]),
        ({1: "a"}, {"1": "a"}),
    ],
)
def test_what_python_has_beyond_json_is_stored_as_json(value: Any, stored: Any) -> None:
    assert decode(encode(value)) == stored


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "\x7f\x80", "\u2028", "😀", "e\u0301", "\ufeff", '"\\/\b'])
def test_any_text_is_stored_as_it_is(text: str) -> None:
    assert decode(encode({text: text})) == {text: text}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda n: n, "$"),
        (lambda n: {"a": [1, {"b": n}]}, "$.a[1].b"),
        (lambda n: (None, n), "$[1]"),
        (Point, "$.x"),
        (lambda n: {"p": Point(1.0, [Point(n)])}, "$.p.inner[0].x"),
        (lambda n: [Order(total=n)], "$[0].total"),
        (lambda n: {"row": Row(n)}, "$.row.x"),
        (lambda n: ["\ud800", n], "$[1]"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_with_its_place(wrap: Any, place: str, number: float) -> None:
    assert refusal(wrap(number)).what.endswith(f"at {place}")


def test_a_null_that_is_meant_is_stored() -> None:
    value = {"a": None, "b": [None, 1.5], "c": "null"}
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("a\ud800b", "a\ufffdb"),
        (["\udc00"], ["\ufffd"]),
        ({"\ud800": {"k": "\udfff"}}, {"\ufffd": {"k": "\ufffd"}}),
        (Point(1.0, "\ud800"), {"x": 1.0, "inner": "\ufffd"}),
        ([Order(note="x\ud800")], [{"total": 1.5, "tags": [], "note": "x\ufffd"}]),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_a_lone_surrogate_becomes_a_replacement_character(value: Any, stored: Any) -> None:
    assert decode(encode(value)) == stored


@given(st.text())
def test_cleaned_text_can_be_stored_and_sound_text_is_left_alone(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert clean(cleaned) == cleaned
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert cleaned == text


@pytest.mark.parametrize("number", [2**63, 2**64, 2**70, -(2**80), 10**300])
def test_a_huge_whole_number_keeps_all_its_digits_or_is_refused(number: int) -> None:
    try:
        body = encode(number)
    except Unencodable:
        return
    assert body == b"%d" % number


@pytest.mark.parametrize("leaf", [1, None, "\ud800"], ids=["number", "null", "surrogate"])
@pytest.mark.parametrize("depth", [100, 600, 900, 1_500, 100_000])
def test_nesting_is_stored_or_refused_and_never_ends_in_an_error_of_pythons(depth: int, leaf: Any) -> None:
    value = nested(depth, leaf)
    try:
        assert encode(value)
    except Unencodable:
        assert depth > 100


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    refusal(loop)


@pytest.mark.parametrize("value", [object(), print, Order, 1j, iter([]), {"a": [object()]}, ["\ud800", object()]])
def test_what_is_not_json_like_is_refused(value: Any) -> None:
    refusal(value)


@given(st.dictionaries(texts, json_values, max_size=6), st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_keys(value: dict[str, Any], chance: Any) -> None:
    shuffled = list(value.items())
    chance.shuffle(shuffled)
    assert digest(dict(shuffled)) == digest(value)


@pytest.mark.parametrize("text", ["plain", "lone \ud800"])
def test_the_digest_does_not_depend_on_the_order_of_keys_whatever_the_text(text: str) -> None:
    assert digest({"a": text, "b": [{"c": 1, "d": 2}]}) == digest({"b": [{"d": 2, "c": 1}], "a": text})


def test_the_digest_does_not_depend_on_the_order_in_a_set() -> None:
    assert digest({f"{n}" for n in range(50)}) == digest({f"{n}" for n in reversed(range(50))})


def test_equal_json_has_an_equal_digest_whatever_it_was_before() -> None:
    assert digest(Order(tags=["a"])) == digest({"note": None, "total": 1.5, "tags": ["a"]})
    assert digest(Point(1.0)) == digest({"inner": None, "x": 1.0})
    assert digest([1, 2]) == digest((1, 2))


@pytest.mark.parametrize(
    ("one", "two"),
    [((1,), ("1",)), ((1, 2), ([1, 2],)), (("a", "b"), ("ab",)), ((None,), ()), (({},), ([],)), ((1,), (1.5,))],
)
def test_different_values_have_different_digests(one: tuple[Any, ...], two: tuple[Any, ...]) -> None:
    assert digest(*one) != digest(*two)


def test_a_digest_is_eight_bytes_and_the_same_in_every_version() -> None:
    assert digest({"order": 7, "items": ["a", None, 1.5]}, "x").hex() == "085cc99bbd484695"


@pytest.mark.parametrize("value", [object(), 1j, nested(100_000, 1), ["\ud800", object()]])
def test_what_is_not_json_like_has_no_digest(value: Any) -> None:
    with pytest.raises(Unencodable):
        digest(value)
