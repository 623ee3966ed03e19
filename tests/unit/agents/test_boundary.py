"""What is only a part, or nothing, does not reach an agent as if it were whole."""

from typing import Any

import pytest

import callboard as cb
from callboard.agents.boundary import whole
from callboard.domain.errors import Incomplete
from callboard.testing import runtime
from tests.unit.engine.play import die_and_return, failure

FAILED = cb.Failed(cb.ToolFailed("search is down"))
CUT_SHORT = {"text": "so far", "turns": 1, "tool_calls": 0, "usage": [1, 2, 3]}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "it is None"),
        ("", "it is empty"),
        ([], "it is empty"),
        ({}, "it is empty"),
        (FAILED, "it is a failure: search is down"),
        (CUT_SHORT, "what an agent had when it was stopped"),
        (cb.Partial([1], missing="page 2"), "missing: page 2"),
        ({"found": [1, FAILED]}, "it is a failure"),
        ([{"pages": cb.Partial([1])}], "marked as a part"),
        ({"$callboard": "partial", "value": 1, "missing": "x"}, "missing: x"),
    ],
)
def test_what_is_not_whole_is_refused_with_its_place_and_a_remedy(value: Any, words: str) -> None:
    with pytest.raises(Incomplete, match=words) as raised:
        whole(value, "context[0] of clerk")
    assert raised.value.detail["place"].startswith("context[0] of clerk")
    assert raised.value.remedy


def test_a_place_within_is_named() -> None:
    with pytest.raises(Incomplete, match=r"context\[0\]\.found\[1\] is not whole"):
        whole({"found": [1, FAILED]}, "context[0]")


@pytest.mark.parametrize("value", ["text", 0, False, [0], {"text": "x"}, {"a": None}, [""], 1.5])
def test_what_is_whole_goes_through_as_it_is(value: Any) -> None:
    assert whole(value, "x") == value


def test_the_value_of_an_ok_goes_through() -> None:
    assert whole(cb.Ok([1]), "x") == [1]


def test_a_part_that_will_do_tells_what_is_missing() -> None:
    told = whole([cb.Partial([1], missing=["page 2"])], "x", partial_ok=True)
    assert told == [{"partial": [1], "missing": ["page 2"]}]
    assert whole(CUT_SHORT, "x", partial_ok=True) == CUT_SHORT


def test_empty_text_is_no_place_to_hide_a_failure_but_may_be_an_input() -> None:
    assert whole("", "x", empty_ok=True) == ""
    with pytest.raises(Incomplete):
        whole(None, "x", empty_ok=True)


async def test_an_agent_refuses_it_before_a_model_is_asked() -> None:
    app = cb.App("boundary")
    model = cb.ScriptedModel(["fine"])
    clerk = app.agent("clerk", model=model)

    @app.tool(effect="read")
    async def search(text: str) -> list[str]:
        return cb.Partial(["a"], missing="the second page")  # type: ignore[return-value]

    @app.flow
    async def ask(ctx: cb.Context, partial_ok: bool) -> str:
        found = await search.call(ctx, text="x")
        assert isinstance(found, cb.Partial)
        return await clerk.run(ctx, "judge", context=[found], partial_ok=partial_ok)

    async with runtime(app) as test:
        handle = await test.start(ask, False)
        error = await failure(handle)
        assert isinstance(error, Incomplete)
        assert error.detail["place"] == "context[0] of clerk"
        assert "partial_ok=True" in str(error)
        assert await test.run(ask, True) == "fine"


async def test_a_step_s_part_comes_back_as_one_after_a_crash() -> None:
    app = cb.App("boundary")

    async def search() -> dict[str, int]:
        return cb.Partial([1], missing="b")  # type: ignore[return-value]

    @app.flow
    async def look(ctx: cb.Context, _: None) -> str:
        found = await ctx.step(search)
        await ctx.wait("go")
        return repr(found)

    async with runtime(app) as test:
        handle = await test.start(look)
        await test.settle()
        handle = await die_and_return(test, handle)
        await handle.signal("go")
        assert await handle.result(timeout=30) == repr(cb.Partial([1], missing="b"))


@pytest.mark.parametrize("mode", ["await", "attached"])
async def test_a_child_s_part_is_refused_unless_the_parent_asks_for_it(mode: str) -> None:
    app = cb.App("boundary")

    @app.flow
    async def half(ctx: cb.Context, _: None) -> dict[str, int]:
        return cb.Partial({"a": 1}, missing="b")  # type: ignore[return-value]

    @app.flow
    async def parent(ctx: cb.Context, partial_ok: bool) -> Any:
        if mode == "attached":
            child = await ctx.spawn(half, None, mode="attached")
            return (await child.result(partial_ok=partial_ok)).value
        return (await ctx.spawn(half, None, partial_ok=partial_ok)).value

    async with runtime(app) as test:
        assert await test.run(half) == cb.Partial({"a": 1}, missing="b")
        assert await test.run(parent, True) == {"a": 1}
        handle = await test.start(parent, False)
        error = await failure(handle)
        assert isinstance(error, Incomplete)
        assert error.detail["place"] == "the output of half"
