"""A step is called once, and its result is the same value whether it just happened or is replayed."""

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field

import callboard as cb
from callboard.domain.kinds import ErrorKind
from callboard.testing import runtime
from tests.unit.engine.play import Counter, Gate, die_and_return, failure, story


class Order(BaseModel):
    number: int
    lines: list[str]


@dataclass(frozen=True)
class Parcel:
    weight: float
    labels: tuple[str, ...]


class Aliased(BaseModel):
    number: int = Field(alias="orderNumber")


class ReadUnderAnotherName(BaseModel):
    number: int = Field(validation_alias="orderNumber")


class WrittenUnderAnotherName(BaseModel):
    number: int = Field(serialization_alias="orderNumber")


@dataclass(frozen=True)
class Scan:
    page: bytes


async def as_model() -> Order:
    return Order(number=7, lines=["a", "b"])


async def as_models() -> list[Order]:
    return [Order(number=1, lines=[])]


async def as_dataclass() -> Parcel:
    return Parcel(1.5, ("fragile",))


async def as_tuple() -> Any:
    return (1, (2, 3))


async def as_typed_tuple() -> tuple[int, str]:
    return (1, "b")


async def as_optional() -> Order | None:
    return None


async def as_aliased() -> Aliased:
    return Aliased(orderNumber=5)


async def as_bytes() -> bytes:
    return b"\x00\xff"


async def as_read_under_another_name() -> ReadUnderAnotherName:
    return ReadUnderAnotherName.model_validate({"orderNumber": 5})


async def as_written_under_another_name() -> WrittenUnderAnotherName:
    return WrittenUnderAnotherName(number=5)


async def as_dataclass_of_bytes() -> Scan:
    return Scan(b"text")


async def as_list_of_bytes() -> list[bytes]:
    return [b"text"]


RESULTS = [
    pytest.param(as_model, Order(number=7, lines=["a", "b"]), id="pydantic model"),
    pytest.param(as_models, [Order(number=1, lines=[])], id="list of models"),
    pytest.param(as_dataclass, Parcel(1.5, ("fragile",)), id="dataclass"),
    pytest.param(as_tuple, [1, [2, 3]], id="a tuple without a type is a list"),
    pytest.param(as_typed_tuple, (1, "b"), id="typed tuple"),
    pytest.param(as_optional, None, id="optional"),
    pytest.param(as_aliased, Aliased(orderNumber=5), id="pydantic model with an alias"),
    pytest.param(as_bytes, b"\x00\xff", id="bytes"),
    pytest.param(
        as_read_under_another_name, ReadUnderAnotherName.model_validate({"orderNumber": 5}), id="validation alias"
    ),
    pytest.param(as_written_under_another_name, WrittenUnderAnotherName(number=5), id="serialization alias"),
]


@pytest.mark.parametrize(("fn", "expected"), RESULTS)
async def test_a_result_has_its_declared_type_live_and_replayed(fn: Any, expected: Any) -> None:
    app, seen = cb.App("steps"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        seen.append(await ctx.step(fn))
        await ctx.sleep(10)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(11)
        await handle.result(timeout=30)
    assert seen == [expected, expected]
    assert type(seen[0]) is type(seen[1]) is type(expected)


async def test_a_recorded_step_is_not_called_again_after_a_death() -> None:
    app, counter, gate = cb.App("steps"), Counter(), Gate()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return [await ctx.step(counter.count), await ctx.step(gate.enter), await ctx.step(counter.count)]

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == [1, "through", 2]
    assert (counter.calls, gate.entered) == (2, 2)


async def test_the_next_step_finds_the_outcome_of_the_one_before_committed() -> None:
    app = cb.App("steps")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        async def look() -> list[str]:
            return [e.path for e in await test.rt.store.journal.read(ctx.tenant, ctx.run_id)]

        await ctx.step(as_model)
        return await ctx.step(look)

    async with runtime(app) as test:
        assert await test.run(flow) == ["", "0:as_model"]


async def test_a_function_that_is_not_async_runs_in_a_thread() -> None:
    app = cb.App("steps")

    def where(prefix: str) -> str:
        return f"{prefix}:{threading.current_thread() is threading.main_thread()}"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return await ctx.step(where, "main")

    async with runtime(app) as test:
        assert await test.run(flow) == "main:False"


async def test_a_step_is_named_after_its_function_unless_told_otherwise() -> None:
    app = cb.App("steps")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(as_model)
        await ctx.step(as_model, name="fetch the order")

    async with runtime(app) as test:
        handle = await test.start(flow)
        await handle.result(timeout=30)
        assert await story(test, handle) == [
            "started",
            "done 0:as_model",
            "done 1:fetch the order",
            "run succeeded",
        ]


async def test_a_step_that_exceeds_its_time_limit_is_timed_out_and_stays_so() -> None:
    app, told = cb.App("steps"), []

    async def slow() -> None:
        await asyncio.sleep(60)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.step(slow, timeout=0.05)
        except cb.TimedOut as late:
            told.append((str(late), late.path))
        await ctx.sleep(10)
        return "went on"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await asyncio.sleep(0.1)
        await test.wind(11)
        assert await handle.result(timeout=30) == "went on"
    assert told == [("slow reached its time limit of 0.05 s", "0:slow")] * 2


async def test_a_step_that_raises_a_time_out_of_its_own_is_not_blamed_on_its_time_limit() -> None:
    app = cb.App("steps")

    async def connect() -> None:
        raise TimeoutError("no answer from db7")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(connect)

    async with runtime(app) as test:
        error = await failure(await test.start(flow))
    assert "no answer from db7" in str(error)
    assert "600" not in str(error)


async def test_a_step_that_raises_fails_alike_live_and_replayed() -> None:
    app, caught = cb.App("steps"), []

    def broken() -> None:
        raise KeyError("price")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        try:
            await ctx.step(broken)
        except cb.StepFailed as failed:
            caught.append((str(failed), failed.kind, failed.path, failed.detail))
        await ctx.sleep(1)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(2)
        await handle.result(timeout=30)
    assert caught[0] == caught[1]
    assert caught[0] == ("broken raised KeyError: 'price'", ErrorKind.BUG, "0:broken", {"type": "KeyError"})


async def test_a_step_that_cancels_itself_has_failed() -> None:
    app = cb.App("steps")

    async def confused() -> None:
        raise asyncio.CancelledError

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.step(confused)
        except cb.StepFailed as failed:
            return str(failed.detail["type"])
        return "?"

    async with runtime(app) as test:
        assert await test.run(flow) == "CancelledError"


async def test_arguments_must_be_json_like() -> None:
    app = cb.App("steps")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.step(print, object())
        except cb.CallboardError as error:
            return error.code
        return "?"

    async with runtime(app) as test:
        assert await test.run(flow) == "unencodable"


async def test_an_exception_whose_words_cannot_be_had_fails_the_step_like_any_other() -> None:
    class Speechless(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    app = cb.App("steps")

    async def broken() -> None:
        raise Speechless

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.step(broken)
        except cb.StepFailed as failed:
            return str(failed.detail["type"])
        return "?"

    async with runtime(app) as test:
        assert await test.run(flow) == "Speechless"


@pytest.mark.parametrize("fn", [as_dataclass_of_bytes, as_list_of_bytes])
async def test_bytes_inside_a_type_are_refused_instead_of_coming_back_as_text(fn: Any) -> None:
    app = cb.App("steps")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(fn)

    async with runtime(app) as test:
        failed = await failure(await test.start(flow))
        assert failed.code == "unencodable"
        assert "Base64Bytes" in str(failed)
