"""A call is made once, under its limit; its result is JSON and its failures have distinct kinds."""

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
import pytest

from callboard.domain.errors import InputInvalid, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.suspension import Parked
from callboard.tools import (
    Applied,
    IdempotencyKey,
    NotApplied,
    Tool,
    Unknown,
    UpstreamDown,
    UpstreamRejected,
)


class Order(pydantic.BaseModel):
    id: str = pydantic.Field(alias="ID")
    cents: int


@dataclasses.dataclass
class Receipt:
    cents: int


async def failure(tool: Tool, values: dict[str, Any] | None = None) -> ToolFailed:
    with pytest.raises(ToolFailed) as caught:
        await tool.invoke(values or {}, None)
    return caught.value


def raising(error: BaseException) -> Tool:
    async def work() -> None:
        raise error

    return Tool.of(work, "read")


def returning(value: Any, annotation: Any = Any, **contract: Any) -> Tool:
    async def work() -> Any:
        return value

    work.__annotations__["return"] = annotation
    return Tool.of(work, "read", **contract)


async def test_the_result_is_what_decoding_its_stored_json_gives() -> None:
    assert await returning({"at": Receipt(5), 1: (1, 2)}).invoke({}) == {"at": {"cents": 5}, "1": [1, 2]}


async def test_a_function_that_is_not_async_runs_in_a_thread() -> None:
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert await Tool.of(where, "read").invoke({}) is False


async def test_an_async_function_behind_a_plain_one_is_awaited() -> None:
    async def inner() -> int:
        return 3

    def outer() -> Awaitable[int]:
        return inner()

    assert await Tool.of(outer, "read").invoke({}) == 3


async def test_the_key_goes_to_the_parameter_marked_for_it() -> None:
    async def pay(cents: int, *, key: IdempotencyKey) -> str:
        return f"{cents} {key}"

    tool = Tool.of(pay, "idempotent")
    assert await tool.invoke(tool.validate({"cents": 5}), "k1") == "5 k1"
    with pytest.raises(InputInvalid, match="key"):
        await tool.invoke({"cents": 5}, None)


async def test_a_key_that_may_be_none_is_left_to_its_default() -> None:
    async def pay(key: IdempotencyKey | None = None) -> str | None:
        return key

    assert await Tool.of(pay, "read").invoke({}, None) is None
    assert await Tool.of(pay, "read").invoke({}, "k") == "k"


@pytest.mark.parametrize(
    ("error", "kind", "detail"),
    [
        (UpstreamRejected("no"), ErrorKind.UPSTREAM_REJECTED, {}),
        (UpstreamDown("off"), ErrorKind.UPSTREAM_DOWN, {}),
        (UpstreamDown("busy", retry_after=2), ErrorKind.UPSTREAM_DOWN, {"retry_after": 2}),
        (ConnectionResetError("cut"), ErrorKind.UPSTREAM_DOWN, {}),
        (OSError("unreachable"), ErrorKind.UPSTREAM_DOWN, {}),
        (TimeoutError("slow"), ErrorKind.TIMEOUT, {}),
        (ZeroDivisionError("oops"), ErrorKind.BUG, {"type": "ZeroDivisionError"}),
        (SystemExit(3), ErrorKind.BUG, {"type": "SystemExit"}),
        (asyncio.CancelledError("inner"), ErrorKind.BUG, {"type": "CancelledError"}),
    ],
)
async def test_each_way_to_fail_has_its_kind(error: BaseException, kind: ErrorKind, detail: dict[str, Any]) -> None:
    found = await failure(raising(error))
    assert (found.kind, found.detail) == (kind, detail)
    assert str(error) in str(found)


async def test_a_failure_of_another_tool_goes_through_as_it_is() -> None:
    inner = ToolFailed("x", kind=ErrorKind.RATE_LIMITED)
    assert await failure(raising(inner)) is inner


async def test_what_unwinds_a_flow_goes_through_a_tool() -> None:
    with pytest.raises(Parked):
        await raising(Parked()).invoke({})


async def test_only_the_text_of_the_outermost_exception_is_shown_and_not_without_end() -> None:
    async def work() -> None:
        try:
            raise ValueError("secret")
        except ValueError as error:
            raise RuntimeError("y" * 100_000 + "\ud800") from error

    found = str(await failure(Tool.of(work, "read")))
    assert "secret" not in found
    assert len(found) < 2_200


async def test_an_exception_that_cannot_be_printed_is_named() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert "Mute" in str(await failure(raising(Mute())))


async def test_a_call_that_is_too_slow_is_a_timeout() -> None:
    async def sleep() -> None:
        await asyncio.sleep(10)

    found = await failure(Tool.of(sleep, "read", timeout=0.01))
    assert (found.kind, found.detail) == (ErrorKind.TIMEOUT, {"limit": 0.01})


async def test_what_a_tool_makes_of_its_time_limit_is_still_a_timeout() -> None:
    async def sleep() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            raise ConnectionError("cut") from error

    assert (await failure(Tool.of(sleep, "read", timeout=0.01))).kind is ErrorKind.TIMEOUT


async def test_a_thread_that_is_too_slow_is_given_up() -> None:
    release = threading.Event()

    def hang() -> None:
        release.wait(10)

    try:
        assert (await failure(Tool.of(hang, "read", timeout=0.01))).kind is ErrorKind.TIMEOUT
    finally:
        release.set()


async def test_a_thread_that_exhausts_an_iterator_fails_at_once() -> None:
    def first() -> int:
        return next(iter(()))

    found = await failure(Tool.of(first, "read", timeout=30))
    assert found.kind is ErrorKind.BUG
    assert "StopIteration" in str(found)


async def test_a_cancellation_from_outside_goes_through_untouched() -> None:
    started = asyncio.Event()

    async def sleep() -> None:
        started.set()
        await asyncio.sleep(10)

    task = asyncio.create_task(Tool.of(sleep, "read").invoke({}))
    await started.wait()
    task.cancel("stop")
    with pytest.raises(asyncio.CancelledError, match="stop"):
        await task
    assert task.cancelled()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"a": [1, float("inf")]}, r"\$\.a\[1\]"),
        ({"a": object()}, "object is not JSON-like"),
        (threading.Lock(), "cannot be stored"),
    ],
)
async def test_a_result_that_cannot_be_stored_is_malformed(value: Any, why: str) -> None:
    tool = returning(value)
    with pytest.raises(ToolFailed, match=why) as caught:
        await tool.invoke({})
    assert caught.value.kind is ErrorKind.MALFORMED_RESULT


async def test_a_result_over_the_limit_is_malformed_and_one_at_the_limit_is_not() -> None:
    assert await returning("x" * 98, max_result=100).invoke({}) == "x" * 98
    found = await failure(returning("x" * 99, max_result=100))
    assert (found.kind, found.detail) == (ErrorKind.MALFORMED_RESULT, {"size": 101, "limit": 100})


async def test_half_a_surrogate_pair_in_a_result_is_cleaned_and_a_nul_is_kept() -> None:
    assert await returning("a\ud800\x00", str).invoke({}) == "a\ufffd\x00"


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (Order(ID="a", cents=1), Order),
        ({"ID": "a", "cents": 1}, Order),
        ({"id": "a", "cents": 1}, Order),
        ([Receipt(1)], list[Receipt]),
        ({1, 2}, set[int]),
        (1, float),
        (None, None),
        ("x", pytest.Session),  # pydantic cannot check it, and so nobody does
    ],
)
async def test_a_result_of_the_annotated_type_passes(value: Any, annotation: Any) -> None:
    await returning(value, annotation).invoke({})


@pytest.mark.parametrize(
    ("value", "annotation", "place"),
    [
        ("5", int, "the value"),
        ({"ID": "a", "cents": "1"}, Order, "cents"),
        ([{"cents": 1}, {"cents": None}], list[Receipt], "[1].cents"),
        (None, str, "the value"),
    ],
)
async def test_a_result_of_another_type_is_malformed_at_a_place(value: Any, annotation: Any, place: str) -> None:
    found = await failure(returning(value, annotation))
    assert found.kind is ErrorKind.MALFORMED_RESULT
    assert [fault["field"] for fault in found.detail["fields"]] == [place]


async def test_the_fallback_is_called_with_the_same_values_and_judged_alike() -> None:
    async def order(id: str) -> int:
        raise UpstreamDown("off")

    async def cached(id: str) -> Any:
        return {"1": 1}.get(id, "none")

    tool = Tool.of(order, "read", fallback=cached)
    assert await tool.invoke_fallback({"id": "1"}) == 1
    with pytest.raises(ToolFailed, match="integer"):
        await tool.invoke_fallback({"id": "2"})
    with pytest.raises(InputInvalid, match="no fallback"):
        await Tool.of(order, "read").invoke_fallback({"id": "1"})


def once(reconcile: Callable[[str], Any] | None) -> Tool:
    async def pay() -> Receipt:
        return Receipt(1)

    return Tool.of(pay, "once", reconcile=reconcile)


async def test_a_reconcile_answers_whether_the_call_with_the_key_happened() -> None:
    async def asked(payment: str) -> Any:
        return Applied(Receipt(5)) if payment == "k1" else NotApplied()

    assert await once(asked).ask_reconcile("k1") == Applied({"cents": 5})
    assert await once(asked).ask_reconcile("k2") == NotApplied()
    assert await once(lambda key: Unknown()).ask_reconcile("k") == Unknown()


async def test_without_a_reconcile_nobody_knows() -> None:
    assert await once(None).ask_reconcile("k") == Unknown()


async def test_a_reconcile_that_fails_or_answers_otherwise_is_a_failure_and_no_answer() -> None:
    with pytest.raises(ToolFailed, match="answered with bool") as caught:
        await once(lambda key: True).ask_reconcile("k")
    assert caught.value.kind is ErrorKind.MALFORMED_RESULT
    with pytest.raises(ToolFailed, match="raised ZeroDivisionError"):
        await once(lambda key: 1 // 0).ask_reconcile("k")
    with pytest.raises(ToolFailed, match="cents"):
        await once(lambda key: Applied({"cents": "x"})).ask_reconcile("k")
