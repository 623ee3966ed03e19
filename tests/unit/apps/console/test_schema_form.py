from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, Field

from callboard.apps.console.schema_form import fields, value, wire


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Address(BaseModel):
    street: str
    zip: int | None = None


class Wish(BaseModel):
    who: str = Field(description="a name")
    size: Size = Size.SMALL
    days: list[int] = []
    to: Address | None = None
    home: Address
    weights: dict[str, float] = {}
    loud: bool = False


FORM = fields(Wish.model_json_schema())


def filled(**given: str) -> tuple[Any, dict[str, str]]:
    return value(FORM, {wire(name.replace("__", ".")): text for name, text in given.items()})


def test_a_form_has_a_field_of_its_kind_for_each_part() -> None:
    kinds = {part.name: part.kind for part in FORM.parts}
    assert kinds == {
        "who": "text", "size": "choice", "days": "lines", "to": "group", "home": "group", "weights": "json",
        "loud": "tick",
    }  # fmt: skip
    size = FORM.parts[1]
    assert size.choices == [('"small"', "small"), ('"large"', "large")] and size.default == '"small"'
    assert FORM.parts[0].hint == "a name" and FORM.parts[0].needed and not FORM.parts[3].needed


def test_what_was_filled_in_fits_the_schema() -> None:
    found, wrong = filled(
        who="mia", size='"large"', days="1\n 2\n", home__street="Elm", home__zip="7", weights='{"a": 1.5}', loud="on"
    )
    assert wrong == {} and Wish.model_validate(found).home == Address(street="Elm", zip=7)
    assert found["size"] == "large" and found["days"] == [1, 2] and found["loud"] is True and found["to"] is None
    assert filled(who="mia", home__street="E")[0]["home"] == {"street": "E", "zip": None}


def test_each_field_that_cannot_be_read_is_named() -> None:
    _, wrong = filled(days="1\nx", size="huge", weights="{", to__zip="7")
    assert set(wrong) == {"who", "days", "size", "weights", "home.street", "to.street"}


@pytest.mark.parametrize(
    ("schema", "given", "expected"),
    [
        ({}, "two words", "two words"),
        (None, '{"a": [1]}', {"a": [1]}),
        (None, "", None),
        ({"type": "string"}, "", ""),
        ({"type": "integer"}, " 12 ", 12),
        ({"type": "array", "items": {"type": "object"}}, "[{}]", [{}]),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}, "", None),
    ],
)
def test_a_value_as_a_whole_has_one_field(schema: Any, given: str, expected: Any) -> None:
    assert value(fields(schema), {"in": given}) == (expected, {})


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}, "required": ["next"]}
    form = fields({"$ref": "#/$defs/N", "$defs": {"N": node, "L": {"$ref": "#/$defs/L"}}})
    while form.kind == "group":
        (form,) = form.parts
    assert form.kind == "json"
