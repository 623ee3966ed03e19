"""A tool's contract is checked when it is declared, never when it is called."""

from typing import Any

import pytest

from callboard.domain.errors import InputInvalid, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.retry import NEVER, Retry
from callboard.tools import IdempotencyKey, SideEffect, Tool, retryable


async def pay(order: str) -> str:
    return order


def test_a_read_or_idempotent_tool_gets_three_attempts_and_a_once_tool_one() -> None:
    assert Tool.of(pay, "read").retry.attempts == 3
    assert Tool.of(pay, SideEffect.IDEMPOTENT).retry.attempts == 3
    assert Tool.of(pay, "once").retry == NEVER


def test_a_once_tool_cannot_be_declared_with_retries() -> None:
    with pytest.raises(InputInvalid, match="never called again on suspicion"):
        Tool.of(pay, "once", retry=Retry(attempts=2))


def test_only_a_once_tool_may_reconcile() -> None:
    def happened(key: str) -> None: ...

    with pytest.raises(InputInvalid, match="only once needs a reconcile"):
        Tool.of(pay, "idempotent", reconcile=happened)


def test_a_reconcile_is_asked_with_the_key_alone() -> None:
    def happened(key: str, order: str) -> None: ...

    with pytest.raises(InputInvalid, match="happened cannot reconcile"):
        Tool.of(pay, "once", reconcile=happened)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": "two words"}, "letters, digits"),
        ({"name": "x" * 65}, "1 to 64"),
        ({"name": "auto"}, "meaning of their own"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"retry": Retry(attempts=0)}, "at least one"),
        ({"max_result": 0}, "max_result"),
    ],
)
def test_a_contract_that_cannot_work_is_refused_with_the_reason(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(InputInvalid, match=why):
        Tool.of(pay, "read", **wrong)


def test_a_side_effect_that_is_none_of_the_three_is_refused() -> None:
    with pytest.raises(InputInvalid, match="read, idempotent or once"):
        Tool.of(pay, "write")


def test_a_fallback_must_take_the_same_parameters() -> None:
    async def other(order: str, colour: str) -> str:
        return colour

    with pytest.raises(InputInvalid, match="only one of them takes colour"):
        Tool.of(pay, "read", fallback=other)


def test_a_fallback_need_not_take_the_key() -> None:
    async def keyed(order: str, key: IdempotencyKey) -> str:
        return order

    assert Tool.of(keyed, "idempotent", fallback=pay).takes_key


def test_a_generator_is_no_tool() -> None:
    async def rows() -> Any:
        yield 1

    with pytest.raises(InputInvalid, match="rows is a generator"):
        Tool.of(rows, "read")


def test_a_second_call_may_help_only_when_the_other_side_was_slow_down_or_busy() -> None:
    kinds = {kind for kind in ErrorKind if retryable(ToolFailed("x", kind=kind))}
    assert kinds == {ErrorKind.TIMEOUT, ErrorKind.UPSTREAM_DOWN, ErrorKind.RATE_LIMITED}
