"""The toolbox finds tools by name and says what is near when there is none."""

import pytest

from callboard.domain.errors import InputInvalid, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.tools import Tool, Toolbox


def named(name: str) -> Tool:
    def work() -> None: ...

    return Tool.of(work, "read", name=name)


def test_a_name_is_taken_once() -> None:
    box = Toolbox([named("order")])
    with pytest.raises(InputInvalid, match="named order already"):
        box.add(named("order"))
    assert len(box) == 1


def test_a_tool_is_found_by_its_name() -> None:
    order = named("order")
    assert Toolbox([named("refund"), order]).get("order") is order


def test_an_unknown_name_is_answered_with_the_nearest_known_ones() -> None:
    box = Toolbox(map(named, ["get_order", "get_user", "refund"]))
    with pytest.raises(ToolFailed, match="did you mean get_order") as caught:
        box.get("get_orders")
    assert caught.value.kind is ErrorKind.UNKNOWN_TOOL
    assert caught.value.detail["nearest"][0] == "get_order"
    assert "refund" not in caught.value.detail["nearest"]


def test_specs_come_in_the_order_asked_for() -> None:
    box = Toolbox(map(named, ["a", "b", "c"]))
    assert [spec.name for spec in box.specs(["c", "a"])] == ["c", "a"]
    with pytest.raises(ToolFailed):
        box.specs(["a", "nowhere"])
