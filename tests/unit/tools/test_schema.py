"""What a model is told about a tool comes from the function's signature and docstring."""

import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pydantic
import pytest

from callboard.domain.errors import InputInvalid
from callboard.tools import IdempotencyKey, Tool


class Address(pydantic.BaseModel):
    street: str


async def refund(
    order_id: str,
    cents: Annotated[int, pydantic.Field(gt=0)],
    why: Literal["late", "broken"] = "late",
    tags: list[str] = ["x"],  # noqa: B006 - the guard is that calls do not share it
    to: Address | None = None,
    *,
    key: IdempotencyKey,
) -> dict[str, Any]:
    """Give money back.

    Only to the buyer.

    Args:
        order_id (str): the order, as
            printed: A1, B2
        cents: how much
        key: never seen

    Returns:
        order_id: not a parameter.
    """
    return {"tags": tags}


REFUND = Tool.of(refund, "idempotent")


def test_name_and_description_are_the_function_s_up_to_its_first_section() -> None:
    spec = REFUND.spec()
    assert (spec.name, spec.description) == ("refund", "Give money back.\n\nOnly to the buyer.")


def test_name_and_description_can_be_given() -> None:
    spec = Tool.of(refund, "read", name="give", description="").spec()
    assert (spec.name, spec.description) == ("give", "")


def test_the_schema_has_each_parameter_in_order_but_never_the_key() -> None:
    schema = REFUND.spec().parameters
    assert list(schema["properties"]) == ["order_id", "cents", "why", "tags", "to"]
    assert schema["required"] == ["order_id", "cents"]
    assert schema["additionalProperties"] is False


def test_parameters_are_described_by_the_docstring() -> None:
    properties = REFUND.spec().parameters["properties"]
    assert properties["order_id"] == {
        "type": "string",
        "description": "the order, as printed: A1, B2",
    }
    assert properties["cents"] == {"type": "integer", "exclusiveMinimum": 0, "description": "how much"}
    assert "description" not in properties["why"]


def test_a_description_in_a_field_wins_over_the_docstring() -> None:
    def find(name: Annotated[str, pydantic.Field(description="field")]) -> None:
        """Find.

        Args:
            name: docstring
        """

    assert Tool.of(find, "read").spec().parameters["properties"]["name"]["description"] == "field"


def test_nested_types_and_defaults_stand_in_the_schema() -> None:
    schema = REFUND.spec().parameters
    assert schema["properties"]["why"] == {"type": "string", "enum": ["late", "broken"], "default": "late"}
    assert schema["properties"]["tags"]["default"] == ["x"]
    assert schema["$defs"]["Address"]["properties"] == {"street": {"type": "string"}}


def test_a_function_without_parameters_has_an_empty_object_for_a_schema() -> None:
    def now() -> str:
        return ""

    assert Tool.of(now, "read").spec().parameters == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


def test_any_parameter_name_is_good() -> None:
    def odd(copy: int, json: int, _id: int, model_config: int, self_: int = 1) -> None: ...

    values = {"copy": 1, "json": 2, "_id": 3, "model_config": 4}
    assert Tool.of(odd, "read").validate(values) == values | {"self_": 1}


def test_methods_partials_and_callable_objects_are_functions_too() -> None:
    class Shop:
        def order(self, id: str) -> str:
            return id

        async def __call__(self, id: str) -> str:
            return id

    for fn in (Shop().order, Shop(), functools.partial(Shop().order)):
        assert list(Tool.of(fn, "read", name="t").spec().parameters["properties"]) == ["id"]


def star(*names: str) -> None: ...
def stars(**names: str) -> None: ...
def positional(name: str, /) -> None: ...
def bare(name) -> None: ...  # type: ignore[no-untyped-def]
def unresolved(name: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def nested(name: list["Nowhere"]) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def function(fine: int, name: Callable[[int], int]) -> None: ...
def foreign(fine: int, name: pytest.Session) -> None: ...
def two_keys(a: IdempotencyKey, b: IdempotencyKey) -> None: ...


@pytest.mark.parametrize(
    ("fn", "why"),
    [
        (star, r"star takes \*names"),
        (stars, r"stars takes \*\*names"),
        (positional, "parameter name of positional is positional-only"),
        (bare, "parameter name of bare has no annotation"),
        (unresolved, "annotations of unresolved cannot be read; NameError"),
        (nested, "parameter name of nested has a type that cannot be used"),
        (function, "parameter name of function has a type"),
        (foreign, "parameter name of foreign has a type"),
        (two_keys, "more than one IdempotencyKey: a, b"),
    ],
)
def test_a_signature_that_no_model_can_fill_is_refused_at_declaration(fn: Any, why: str) -> None:
    with pytest.raises(InputInvalid, match=why):
        Tool.of(fn, "read")
