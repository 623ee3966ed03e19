"""A handle gives the result of a run, typed, wherever it was executed; and shows the run while it goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import callboard as cb
from callboard.domain.errors import (
    ChildFailed,
    Failure,
    FlowMisuse,
    InputInvalid,
    NotFound,
    Rejected,
    Unencodable,
)
from callboard.domain.kinds import ErrorKind
from callboard.testing import WindingClock, runtime
from tests.unit.engine.play import Gate, failure


class Receipt(BaseModel):
    cents: int


async def test_the_result_has_the_type_that_the_flow_declares() -> None:
    app = cb.App("handle")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Receipt:
        return Receipt(cents=5)

    async with runtime(app) as test:
        handle = await test.start(flow)
        assert await handle.result(timeout=30) == Receipt(cents=5)
        assert await test.run(flow) == Receipt(cents=5)
        assert await test.rt.handle(handle.id).result() == {"cents": 5}  # by id alone nothing is known of its type


async def test_many_may_wait_for_one_result() -> None:
    app, gate = cb.App("handle"), Gate(7)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(gate.enter)

    async with runtime(app) as test:
        handle = await test.start(flow)
        waiting = [asyncio.create_task(handle.result(timeout=30)) for _ in range(10)]
        await gate.reached.wait()
        gate.opened.set()
        assert await asyncio.gather(*waiting) == [7] * 10


async def test_waiting_for_a_result_can_be_given_up() -> None:
    app = cb.App("handle")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.wait("word")

    async with runtime(app) as test:
        handle = await test.start(flow)
        with pytest.raises(TimeoutError):
            await handle.result(timeout=0.05)
        await handle.signal("word", 1)
        assert await handle.result(timeout=30) == 1


FAILURES = [
    cb.StepFailed("no", path="9:x", detail={"a": 1}),
    cb.ToolFailed("no", kind=ErrorKind.UPSTREAM_DOWN),
    cb.TimedOut("late"),
    Rejected("no"),
    ChildFailed("no"),
    cb.LimitReached("no", detail={"reason": "usd", "partial": {"text": "half"}}),
    InputInvalid("bad"),
    Unencodable("bad"),
    FlowMisuse("wrong"),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda e: e.code)
async def test_a_failed_run_raises_the_typed_error_that_ended_it(error: cb.CallboardError) -> None:
    app = cb.App("handle")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        raise error

    async with runtime(app) as test:
        handle = await test.start(flow)
        with pytest.raises(cb.RunFailed) as caught:
            await handle.result(timeout=30)
    failed = caught.value
    assert (failed.run_id, failed.status, failed.kind) == (handle.id, "failed", error.kind)
    assert handle.id in str(failed) and "callboard runs show" in str(failed)
    assert type(failed.error) is type(error)
    assert failed.error.code == error.code
    if isinstance(error, Failure):
        assert isinstance(failed.error, Failure)
        assert (failed.error.path, failed.error.detail) == (error.path, error.detail)


async def test_a_bug_in_the_flow_says_what_and_where() -> None:
    app = cb.App("handle")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        raise ZeroDivisionError("by nought")

    async with runtime(app) as test:
        error = await failure(await test.start(flow))
    assert (str(error), error.kind) == ("ZeroDivisionError: by nought", ErrorKind.BUG)
    assert error.detail["type"] == "ZeroDivisionError"
    assert error.detail["where"].startswith("test_handle.py:") and error.detail["where"].endswith(" in flow")


async def test_a_bug_that_cannot_even_be_put_into_words_ends_the_run() -> None:
    class Speechless(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    app = cb.App("handle")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        raise Speechless

    async with runtime(app) as test:
        error = await failure(await test.start(flow))
    assert "Speechless" in str(error)


async def test_a_cancelled_run_raises_with_the_reason() -> None:
    app = cb.App("handle")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.wait("never")

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        await handle.cancel("enough")
        with pytest.raises(cb.RunCancelled, match="enough") as caught:
            await handle.result(timeout=30)
        assert caught.value.run_id == handle.id


async def test_events_are_followed_until_the_run_has_ended() -> None:
    app = cb.App("handle")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.wait("word")

    async with runtime(app) as test:
        handle = await test.start(flow)

        async def follow(after: int) -> list[str]:
            return [f"{e.seq} {e.kind.label}" async for e in handle.events(after)]

        following = asyncio.create_task(follow(-1)), asyncio.create_task(follow(1))
        await asyncio.sleep(0.15)
        await handle.signal("word", 1)
        whole, part = await asyncio.gather(*following)
    assert whole == ["0 started", "1 intent", "2 done", "3 run succeeded"]
    assert part == whole[2:]


async def test_the_stream_carries_progress_as_it_comes() -> None:
    app, gate = cb.App("handle"), Gate()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(gate.enter)
        for n in range(3):
            ctx.progress({"n": n})
            await ctx.step(gate.enter)

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        stream = handle.stream()
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.01)
        gate.opened.set()
        chunks = [await first, await anext(stream), await anext(stream)]
    assert [chunk.value for chunk in chunks] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert [chunk.number for chunk in chunks] == [1, 2, 3]


async def test_a_handle_in_another_runtime_on_the_same_file_gets_the_result(tmp_path: Path) -> None:
    app, clock, path = cb.App("handle"), WindingClock(), tmp_path / "store.db"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Receipt:
        return Receipt(cents=await ctx.wait("cents"))

    settings = cb.Settings(store=f"sqlite:///{path}")
    async with (
        runtime(app, path, clock=clock) as worker,
        cb.open(app, settings=settings, worker=False, clock=clock) as door,
    ):
        handle = await door.start(flow)
        waiting = asyncio.create_task(handle.result(timeout=30))
        while await handle.status() is not cb.RunStatus.WAITING:
            await asyncio.sleep(0.01)
        await door.handle(handle.id).signal("cents", 12)
        assert await waiting == Receipt(cents=12)
        assert await worker.rt.handle(handle.id).result(timeout=30) == {"cents": 12}


async def test_another_tenant_has_no_such_run() -> None:
    app = cb.App("handle")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        return 1

    async with runtime(app) as test:
        handle = await test.start(flow, tenant="acme")
        await handle.result(timeout=30)
        stranger = test.rt.handle(handle.id, tenant="other")
        for ask in (stranger.run, stranger.status, stranger.cancel):
            with pytest.raises(NotFound):
                await ask()
        with pytest.raises(NotFound):
            [_ async for _ in stranger.events()]
        with pytest.raises((TimeoutError, NotFound)):
            await stranger.result(timeout=0.1)
