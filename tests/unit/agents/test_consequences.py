"""What happens when an upstream fails, in words, and what nobody has decided about it."""

from typing import Any

import pytest

import callboard as cb
from callboard.agents.consequences import of_model, of_tool, undecided_model, undecided_tool
from callboard.agents.handling import Handling, compensate, escalate, fail, retry, use
from callboard.domain.retry import Retry
from callboard.resilience.upstream import Otherwise, Upstream
from callboard.tools import Tool

SHOP = Upstream(name="shop")


async def order(order_id: str) -> str:
    return order_id


async def remembered(order_id: str) -> str:
    return order_id


async def look_up(key: str) -> Any:
    return cb.Unknown()


def words(effect: str, on_failure: dict[str, Handling] | None = None, *, tries: int = 3, **contract: Any) -> str:
    tool = Tool.of(order, effect, **contract)
    return of_tool(tool, SHOP, Retry(attempts=tries), on_failure)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words("read"), "3 tries, then it fails: a flow gets ToolFailed, an agent is told"),
        (words("read", tries=1, fallback=remembered), "1 try, then its fallback remembered"),
        (words("idempotent", fallback=remembered), "3 tries with one key, then its fallback remembered"),
        (
            words("once"),
            "in doubt a person is asked; 3 tries only if it surely did not happen, then it fails: "
            "a flow gets ToolFailed, an agent is told",
        ),
        (
            words("once", {"*": fail()}, reconcile=look_up),
            "in doubt its reconcile is asked, then a person; 3 tries only if it surely did not happen, then it fails",
        ),
        (words("read", {"*": escalate()}), "3 tries, then a person is asked"),
        (words("read", {"*": compensate()}), "3 tries, then the saga around it undoes what was done"),
        (
            words("read", {"*": retry(2, then=use(remembered, then=escalate()))}),
            "3 tries, then the whole call again, 2 times, then remembered in its place, then a person is asked",
        ),
        (
            words("read", {"timeout": retry(1), "*": fail()}, fallback=remembered),
            "3 tries, then its fallback remembered, then for timeout the whole call again, once; for all else it fails",
        ),
    ],
)
def test_what_happens_to_a_tool_s_call(said: str, expected: str) -> None:
    assert said == expected


def test_a_tool_without_a_word_of_its_own_goes_by_its_upstream_s() -> None:
    tool = Tool.of(order, "read")
    asked = Upstream(name="shop", otherwise=Otherwise.ESCALATE)
    assert of_tool(tool, asked, tool.retry, None) == "3 tries, then a person is asked"
    assert of_tool(tool, asked, tool.retry, {"*": fail()}) == "3 tries, then it fails"


def test_what_happens_to_a_model_s_call() -> None:
    assert of_model("a", Retry(attempts=4), []) == "4 tries, then the agent fails with ModelFailed"
    assert of_model("a", Retry(attempts=2), ["b", "c"]) == (
        "next candidate b, c; each has 2 tries, then the agent fails with ModelFailed"
    )


@pytest.mark.parametrize(
    ("otherwise", "contract", "on_failure", "left_open"),
    [
        ("", {}, None, True),
        ("", {"fallback": remembered}, None, False),
        ("", {}, {"*": fail()}, False),
        ("", {}, {"timeout": fail()}, True),
        ("fail", {}, None, False),
        ("escalate", {}, None, False),
        ("fallback", {}, None, True),
        ("fallback", {"fallback": remembered}, None, False),
    ],
)
def test_what_is_left_open_about_a_tool(otherwise: str, contract: Any, on_failure: Any, left_open: bool) -> None:
    policy = Upstream(name="shop", otherwise=Otherwise(otherwise))
    assert bool(undecided_tool(Tool.of(order, "read", **contract), policy, on_failure)) is left_open


@pytest.mark.parametrize(
    ("otherwise", "others", "left_open"),
    [
        ("", [], True),
        ("", ["b"], False),
        ("fail", [], False),
        ("fallback", [], True),
        ("fallback", ["b"], False),
        ("escalate", ["b"], True),
    ],
)
def test_what_is_left_open_about_a_model(otherwise: str, others: list[str], left_open: bool) -> None:
    policy = Upstream(name="a", otherwise=Otherwise(otherwise))
    assert bool(undecided_model("a", policy, others)) is left_open
