"""A fault that was ordered comes out of a tool's call as the failure that a real one is."""

from typing import Any

import pytest

from callboard.domain.errors import ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.resilience.faults import Fault, FaultKind
from callboard.tools import IdempotencyKey, Tool
from callboard.tools.faulty import struck


class Shop:
    """Counts its calls by key."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def tool(self, effect: str = "read", **contract: Any) -> Tool:
        async def order(key: IdempotencyKey) -> str:
            self.calls.append(str(key))
            return "an order"

        return Tool.of(order, effect, **contract)


def fault(kind: FaultKind, **fields: Any) -> Fault:
    return Fault(kind, "shop", number=7, **fields)


@pytest.mark.parametrize(
    ("kind", "expected", "calls"),
    [
        (FaultKind.TIMEOUT, ErrorKind.TIMEOUT, 0),
        (FaultKind.RATE_LIMITED, ErrorKind.RATE_LIMITED, 0),
        (FaultKind.ERROR, ErrorKind.UPSTREAM_DOWN, 0),
        (FaultKind.UNAVAILABLE, ErrorKind.UPSTREAM_DOWN, 0),
        (FaultKind.REFUSED, ErrorKind.UPSTREAM_DOWN, 0),
        (FaultKind.CUT, ErrorKind.UPSTREAM_DOWN, 1),
        (FaultKind.MALFORMED, ErrorKind.MALFORMED_RESULT, 1),
        (FaultKind.SCHEMA, ErrorKind.MALFORMED_RESULT, 1),
    ],
)
async def test_what_each_kind_is_and_whether_the_call_arrived(kind: FaultKind, expected: ErrorKind, calls: int) -> None:
    shop = Shop()
    with pytest.raises(ToolFailed) as failed:
        await struck(shop.tool(), fault(kind, seconds=0.001), "k").invoke({}, "k")
    assert failed.value.kind is expected
    assert len(shop.calls) == calls


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT, FaultKind.ERROR, FaultKind.RATE_LIMITED, FaultKind.REFUSED])
async def test_a_lost_answer_leaves_the_call_made(kind: FaultKind) -> None:
    shop = Shop()
    with pytest.raises(ToolFailed):
        await struck(shop.tool(), fault(kind, after=1, seconds=0.001), "k").invoke({}, "k")
    assert shop.calls == ["k"]


async def test_a_call_that_hangs_meets_the_tool_s_own_time_limit() -> None:
    with pytest.raises(ToolFailed, match=r"did not answer within 0\.02 s") as failed:
        await struck(Shop().tool(timeout=0.02), fault(FaultKind.TIMEOUT), "k").invoke({}, "k")
    assert failed.value.detail == {"limit": 0.02}


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMITED, FaultKind.UNAVAILABLE])
async def test_a_wish_to_wait_is_passed_on(kind: FaultKind) -> None:
    with pytest.raises(ToolFailed) as failed:
        await struck(Shop().tool(), fault(kind, retry_after=7.0), "k").invoke({}, "k")
    assert failed.value.detail["retry_after"] == 7.0


async def test_a_duplicate_comes_with_the_same_key_and_never_to_a_once_tool() -> None:
    shop = Shop()
    assert await struck(shop.tool("idempotent"), fault(FaultKind.DUPLICATE), "k").invoke({}, "k") == "an order"
    assert shop.calls == ["k", "k"]
    ordered, once = fault(FaultKind.DUPLICATE), Shop()
    assert await struck(once.tool("once"), ordered, "k").invoke({}, "k") == "an order"
    assert once.calls == ["k"]
    assert not ordered.applied


async def test_a_slow_answer_is_whole_and_an_empty_one_of_its_type() -> None:
    shop = Shop()
    assert await struck(shop.tool(), fault(FaultKind.SLOW, seconds=0.001), "k").invoke({}, "k") == "an order"
    assert await struck(shop.tool(), fault(FaultKind.EMPTY), "k").invoke({}, "k") == ""
    assert len(shop.calls) == 2


async def test_a_strike_is_marked_with_the_call() -> None:
    ordered = fault(FaultKind.SLOW, seconds=0.0)
    struck(Shop().tool(), ordered, "run-place")
    assert (ordered.target, ordered.key, ordered.applied) == ("order", "run-place", True)


def test_nothing_is_in_the_way_of_a_call_that_is_not_struck() -> None:
    tool = Shop().tool()
    assert struck(tool, None, "k") is tool
