"""A compensation takes what it wants to know of the call that it undoes, and is read when its tool is declared."""

from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import InputInvalid, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.partial import Partial
from callboard.tools import Tool

TOLD: dict[str, Any] = {"result": {"id": 7}, "key": "k-undo", "original_key": "k"}


async def charge(order: str, cents: int, key: cb.IdempotencyKey) -> dict[str, int]:
    """Charge."""
    return {"id": 7}


def tool(compensate: Any, **contract: Any) -> Tool:
    return Tool.of(charge, "idempotent", compensate=compensate, **contract)


async def test_it_gets_any_of_the_arguments_by_name_and_what_came_of_the_call() -> None:
    got: list[Any] = []

    async def refund(cents: int, result: dict[str, int] | None, original_key: str, mine: cb.IdempotencyKey) -> None:
        got.extend([cents, result, original_key, mine])

    await tool(refund).undo({"order": "A", "cents": 5}, **TOLD)
    assert got == [5, {"id": 7}, "k", "k-undo"]


async def test_it_may_take_nothing_and_need_not_be_async() -> None:
    got: list[str] = []

    def refund(note: str = "no reason") -> None:
        got.append(note)

    await tool(refund).undo({"order": "A", "cents": 5}, **TOLD)
    assert got == ["no reason"]


async def test_an_argument_of_the_tool_hides_what_has_the_same_name() -> None:
    got: list[str] = []

    async def note(result: str) -> str:
        return "answer"

    async def unnote(result: str) -> None:
        got.append(result)

    await Tool.of(note, "idempotent", compensate=unnote).undo({"result": "argument"}, **TOLD)
    assert got == ["argument"]


async def test_what_it_raises_has_a_kind() -> None:
    async def refund() -> None:
        raise cb.UpstreamDown("closed")

    with pytest.raises(ToolFailed, match="the compensation of charge is down") as raised:
        await tool(refund).undo({}, **TOLD)
    assert raised.value.kind is ErrorKind.UPSTREAM_DOWN


async def wants_more(order: str, reason: str) -> None: ...


async def takes_all(**arguments: Any) -> None: ...


async def two_keys(a: cb.IdempotencyKey, b: cb.IdempotencyKey) -> None: ...


@pytest.mark.parametrize(
    ("compensate", "words"),
    [
        (wants_more, "cannot undo charge: it takes reason"),
        (takes_all, "takes \\*\\*arguments"),
        (two_keys, "more than one IdempotencyKey"),
    ],
)
def test_one_that_asks_for_what_nobody_has_is_refused_where_it_is_declared(compensate: Any, words: str) -> None:
    with pytest.raises(InputInvalid, match=words):
        tool(compensate)


def test_a_read_has_nothing_to_undo() -> None:
    with pytest.raises(InputInvalid, match="nothing to undo"):
        Tool.of(charge, "read", compensate=lambda: None)


def test_a_fallback_and_a_compensation_do_not_go_together() -> None:
    with pytest.raises(InputInvalid, match="nobody could undo what its fallback did"):
        tool(lambda: None, fallback=charge)


@pytest.mark.parametrize("nothing", [None, "", [], {}])
async def test_an_empty_result_is_refused_where_that_is_declared(nothing: Any) -> None:
    async def find(what: str) -> Any:
        return nothing

    with pytest.raises(ToolFailed, match="answered with nothing") as raised:
        await Tool.of(find, "read", empty="refuse").invoke({"what": "x"})
    assert raised.value.kind is ErrorKind.INCOMPLETE
    assert await Tool.of(find, "read").invoke({"what": "x"}) == nothing


@pytest.mark.parametrize("something", [0, False, [None], " ", {"a": None}])
async def test_what_is_not_empty_is_an_answer(something: Any) -> None:
    async def find(what: str) -> Any:
        return something

    assert await Tool.of(find, "read", empty="refuse").invoke({"what": "x"}) == something


def test_another_word_for_empty_is_refused() -> None:
    with pytest.raises(InputInvalid, match="write keep or refuse"):
        Tool.of(charge, "read", empty="maybe")


async def test_a_part_need_not_fit_the_declared_type() -> None:
    async def find(what: str) -> dict[str, int]:
        return Partial(["half"], missing="the rest")  # type: ignore[return-value]

    stored = await Tool.of(find, "read").invoke({"what": "x"})
    assert stored == {"$callboard": "partial", "value": ["half"], "missing": "the rest"}
