"""Arguments are judged as JSON, without coercion, and a refusal tells an agent what to mend."""

import datetime
import enum
import types
from typing import Annotated, Any

import pydantic
import pytest

from callboard.domain.errors import ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.tools import Tool


class Colour(enum.Enum):
    RED = "red"


class Line(pydantic.BaseModel):
    sku: str
    count: int


async def order(
    customer: str,
    lines: list[Line],
    weight: float = 1.0,
    due: datetime.datetime | None = None,
    colour: Colour = Colour.RED,
    gift: bool = False,
) -> None:
    """Order.

    Args:
        customer: the buyer's id
    """


ORDER = Tool.of(order, "read")
GOOD: dict[str, Any] = {"customer": "c1", "lines": [{"sku": "a", "count": 1}]}


def refused(arguments: dict[str, Any], tool: Tool = ORDER) -> ToolFailed:
    with pytest.raises(ToolFailed) as caught:
        tool.validate(arguments)
    assert caught.value.kind is ErrorKind.INVALID_ARGUMENTS
    return caught.value


def test_values_arrive_in_their_python_types_with_defaults_filled_in() -> None:
    values = ORDER.validate(GOOD | {"due": "2024-05-01T10:00:00Z", "weight": 2})
    assert values["lines"] == [Line(sku="a", count=1)]
    assert values["due"] == datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.UTC)
    assert type(values["weight"]) is float
    assert (values["colour"], values["gift"]) == (Colour.RED, False)


def test_a_mutable_default_is_not_shared_between_calls() -> None:
    def tag(names: list[str] = []) -> None: ...  # noqa: B006 - that is the point

    tool = Tool.of(tag, "read")
    tool.validate({})["names"].append("x")
    assert tool.validate({}) == {"names": []}


@pytest.mark.parametrize(
    ("field", "value", "got"),
    [
        ("customer", 5, "5"),
        ("customer", None, "None"),
        ("weight", "2", "'2'"),
        ("weight", True, "True"),
        ("gift", 1, "1"),
        ("gift", "yes", "'yes'"),
        ("colour", "blue", "'blue'"),
        ("due", "soon", "'soon'"),
    ],
)
def test_nothing_is_coerced(field: str, value: Any, got: str) -> None:
    [fault] = refused(GOOD | {field: value}).detail["fields"]
    assert (fault["field"].split(".")[0], fault["got"]) == (field, got)
    assert fault["problem"].startswith("should")


def test_a_fault_deep_inside_is_named_by_its_place() -> None:
    failure = refused(GOOD | {"lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": "2"}]})
    assert failure.detail["fields"] == [
        {"field": "lines[1].count", "problem": "should be a valid integer", "got": "'2'"}
    ]
    assert "lines[1].count (given '2') should be a valid integer" in str(failure)


def test_a_missing_argument_is_named_with_its_type_and_description() -> None:
    failure = refused({"lines": []})
    assert "customer is missing: expected string (the buyer's id)" in str(failure)


def test_an_unknown_argument_is_named_and_the_known_ones_are_listed() -> None:
    failure = refused(GOOD | {"color": "red"})
    [fault] = failure.detail["fields"]
    assert fault["field"] == "color"
    assert "known: customer, lines, weight, due, colour, gift" in str(failure)


def test_all_faults_are_told_at_once() -> None:
    fields = {f["field"] for f in refused({"lines": 3, "size": 1}).detail["fields"]}
    assert fields == {"customer", "lines", "size"}


def test_a_thousand_faults_and_a_long_value_make_a_short_text() -> None:
    assert len(str(refused(GOOD | {"lines": [1] * 1_000, "customer": ["x" * 10_000]}))) < 2_000


def test_a_number_that_is_not_finite_is_refused_with_its_place() -> None:
    assert "$.weight" in str(refused(GOOD | {"weight": float("nan")}))


def test_half_a_surrogate_pair_is_cleaned_and_a_nul_is_kept() -> None:
    assert ORDER.validate(GOOD | {"customer": "a\ud800b\x00"})["customer"] == "a\ufffdb\x00"


def test_any_mapping_will_do() -> None:
    assert ORDER.validate(types.MappingProxyType(GOOD))["customer"] == "c1"


def test_a_rule_that_the_author_wrote_speaks_for_itself() -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value

    def halve(number: Annotated[int, pydantic.AfterValidator(even)]) -> None: ...

    assert "must be even" in str(refused({"number": 3}, Tool.of(halve, "read")))


def test_a_rule_of_the_author_that_breaks_is_a_bug_and_no_fault_of_the_arguments() -> None:
    def broken(value: int) -> int:
        raise KeyError(value)

    def halve(number: Annotated[int, pydantic.AfterValidator(broken)]) -> None: ...

    with pytest.raises(ToolFailed) as caught:
        Tool.of(halve, "read").validate({"number": 3})
    assert caught.value.kind is ErrorKind.BUG
    assert caught.value.detail == {"type": "KeyError"}
