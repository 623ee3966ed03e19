"""Values that nobody should hand in: the user is told what, where and what to do, and nothing is half-written."""

import math
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

import callboard as cb
from callboard.domain.errors import (
    Conflict,
    InputInvalid,
    KeyConflict,
    Unencodable,
)
from callboard.domain.kinds import ErrorKind
from callboard.testing import TestRuntime, runtime


class Ticket(BaseModel):
    model_config = ConfigDict(extra="forbid")

    user: str
    cents: int
    tags: list[str] = []


async def error_of(test: TestRuntime, flow: Any, value: Any = None) -> Any:
    """The typed error with which a run ends."""
    with pytest.raises(cb.RunFailed) as caught:
        await (await test.start(flow, value)).result(timeout=30)
    return caught.value.error


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"cents": 5}, ["user: Field required"]),
        ({"user": "anna", "cents": 5, "colour": "red"}, ["colour: Extra inputs are not permitted (got 'red')"]),
        ({"user": "anna", "cents": "five"}, ["cents: Input should be a valid integer", "(got 'five')"]),
        ({"user": 7, "cents": None}, ["user: Input should be a valid string (got 7)", "cents: Input should be"]),
        ({"user": "anna", "cents": 5, "tags": ["a", 3]}, ["tags.1: Input should be a valid string (got 3)"]),
        (None, ["the value: Input should be"]),
        ("x" * 10_000, ["the value: Input should be", "..."]),
    ],
)
async def test_an_input_that_does_not_fit_is_refused_at_the_door_naming_each_field(value: Any, said: list[str]) -> None:
    app = cb.App("bad")

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> None: ...

    async with runtime(app) as test:
        with pytest.raises(InputInvalid, match="the input of flow is not valid") as caught:
            await test.start(flow, value)
        for words in said:
            assert words in str(caught.value)
        assert len(str(caught.value)) < 1_000
        assert await test.rt.store.runs.find("default") == []


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "object is not JSON-like"),
        ({"price": math.nan}, "a number that is not finite at $.price"),
        ([1.0, [math.inf]], "a number that is not finite at $[1][0]"),
        ({(1, 2): 3}, "cannot be stored"),
        (CYCLE, "cannot be stored"),
        (lambda: None, "function is not JSON-like"),
    ],
    ids=["object", "nan", "infinity", "keys", "cycle", "function"],
)
async def test_what_cannot_be_stored_is_refused_wherever_it_comes_from(value: Any, said: str) -> None:
    app = cb.App("bad")

    async def give() -> Any:
        return value

    @app.flow
    async def returns(ctx: cb.Context, _: Any) -> Any:
        return value

    @app.flow
    async def steps(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(give)

    async with runtime(app) as test:
        with pytest.raises(Unencodable) as caught:
            await test.start(returns, value)
        assert said in str(caught.value) and "the input of returns" in str(caught.value)
        error = await error_of(test, returns)
        assert said in str(error) and "the output of returns" in str(error)
        error = await error_of(test, steps)
        assert (type(error), error.kind) == (cb.StepFailed, ErrorKind.MALFORMED_RESULT)
        assert said in str(error) and "the result of give" in str(error)


@pytest.mark.parametrize(
    ("text", "stored"),
    [("a\ud800b", "a\ufffdb"), ("nul\x00nul", "nul\x00nul"), ("\U0001d11e", "\U0001d11e"), ("\u2028", "\u2028")],
    ids=["lone surrogate", "NUL", "beyond the BMP", "line separator"],
)
async def test_odd_characters_pass_through_unharmed_or_are_replaced(text: str, stored: str) -> None:
    app, seen = cb.App("bad"), []

    async def give() -> str:
        return text

    @app.flow
    async def flow(ctx: cb.Context, value: Any) -> Any:
        seen.append([value, await ctx.step(give)])
        await ctx.sleep(1)
        return seen[-1]

    async with runtime(app) as test:
        handle = await test.start(flow, text)
        await test.wind(2)
        assert await handle.result(timeout=30) == [stored, stored]
    assert seen == [[stored, stored]] * 2


async def test_a_number_of_any_size_is_the_same_number_afterwards() -> None:
    app = cb.App("bad")

    @app.flow
    async def flow(ctx: cb.Context, value: Any) -> Any:
        return [value, await ctx.step(lambda: 2**200, name="large")]

    async with runtime(app) as test:
        assert await test.run(flow, -(2**70)) == [-(2**70), 2**200]


async def test_a_tool_that_returns_fifty_megabytes_fails_and_its_run_can_go_on() -> None:
    app = cb.App("bad")

    @app.tool(effect="read", retry=cb.Retry(attempts=1))
    async def large() -> str:
        return "x" * 50_000_000

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[str]:
        try:
            await large.call(ctx)
        except cb.ToolFailed as failed:
            return [failed.kind, str(failed)]
        return []

    async with runtime(app) as test:
        handle = await test.start(flow)
        kind, said = await handle.result(timeout=30)
        journal = [e async for e in handle.events()]
    assert kind == "malformed_result"
    assert "50,000,002 bytes, the limit is 262,144" in said
    assert sum(len(e.body) for e in journal) < 10_000


@pytest.mark.parametrize("value", [math.nan, {"rate": -math.inf}, object(), {(1, 2): 3}])
async def test_a_tool_that_returns_what_cannot_be_stored_fails_by_kind(value: Any) -> None:
    app = cb.App("bad")

    @app.tool(effect="idempotent", retry=cb.Retry(attempts=1))
    async def odd() -> Any:
        return value

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await odd.call(ctx)

    async with runtime(app) as test:
        error = await error_of(test, flow)
    assert (type(error), error.kind) == (cb.ToolFailed, ErrorKind.MALFORMED_RESULT)
    assert "odd answered with something that cannot be used" in str(error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"order_id": 7, "cents": 5}, "order_id (given 7) should be a valid string"),
        ({"order_id": "A", "cents": "5"}, "cents (given '5') should be a valid integer"),
        ({"order_id": "A"}, "cents is missing"),
        ({"order_id": "A", "cents": 5, "mood": "bad"}, "mood (given 'bad') is not an argument of it"),
    ],
)
async def test_wrong_arguments_of_a_tool_fail_before_it_is_called(arguments: Any, said: str) -> None:
    app, calls = cb.App("bad"), []

    @app.tool
    async def refund(order_id: str, cents: int) -> str:
        calls.append(order_id)
        return "done"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await refund.call(ctx, **arguments)

    async with runtime(app) as test:
        error = await error_of(test, flow)
    assert error.kind is ErrorKind.INVALID_ARGUMENTS
    assert said in str(error)
    assert calls == []


async def test_two_inputs_under_one_key_and_a_signal_to_a_run_that_has_ended() -> None:
    app = cb.App("bad")

    @app.flow
    async def flow(ctx: cb.Context, value: int) -> int:
        return value

    async with runtime(app) as test:
        handle = await test.start(flow, 1, key="order 7")
        with pytest.raises(KeyConflict, match="key 'order 7' of flow flow belongs to run"):
            await test.start(flow, 2, key="order 7")
        assert await handle.result(timeout=30) == 1
        with pytest.raises(Conflict, match="has ended; nobody would read it; start a new run or requeue this one"):
            await handle.signal("word", 1)


async def test_an_error_of_fifty_megabytes_is_kept_in_bounds() -> None:
    app = cb.App("bad")

    async def shout() -> None:
        raise ValueError("x" * 50_000_000)

    @app.flow
    async def steps(ctx: cb.Context, _: Any) -> None:
        await ctx.step(shout)

    @app.flow
    async def fails(ctx: cb.Context, _: Any) -> None:
        await shout()

    async with runtime(app) as test:
        for flow in (steps, fails):
            assert len(str(await error_of(test, flow))) < 100_000
