"""A `once` call that was surely not made may be made later; one that may have happened is never made again."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

import callboard as cb
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.testing import runtime
from tests.unit.agents.shopping import CALL, QUICK, Shop, details, gate_of, made_of, open_breaker
from tests.unit.engine.play import failure, kinds, open_question


async def test_a_once_call_that_was_not_made_is_made_later_and_only_once() -> None:
    shop = Shop()
    async with runtime(made_of(shop, "once")) as test:
        await open_breaker(test)
        handle = await test.start("flow", 1)
        await test.settle()
        assert (await handle.status(), shop.calls) == (cb.RunStatus.WAITING, 0)
        await test.wind(40)
        assert await handle.result(timeout=30) == ["answer 1"]
        story = await kinds(test, handle, CALL)
        assert story == [EventKind.INTENT, EventKind.RETRY, EventKind.INTENT, EventKind.DONE]
    assert shop.calls == 1


async def test_a_once_call_that_was_made_is_never_repeated_whatever_its_failure_says() -> None:
    claims = {"made": False, "by": "limit", "retry_after": 0.1}
    shop = Shop(9, lambda: cb.ToolFailed("of a call within", kind=ErrorKind.RATE_LIMITED, detail=dict(claims)))
    async with runtime(made_of(shop, "once")) as test:
        handle = await test.start("flow", 1)
        await open_question(test, handle)
        await test.wind(hours=1)
        assert await handle.status() is cb.RunStatus.WAITING
    assert shop.calls == 1


@pytest.mark.parametrize(
    "error", [lambda: cb.UpstreamBusy("429", retry_after=5.0), lambda: cb.UpstreamDown("503"), lambda: ValueError("no")]
)
async def test_a_once_call_that_is_found_not_to_have_happened_is_made_again_as_often_as_its_upstream_says(
    error: Callable[[], BaseException],
) -> None:
    shop = Shop(99, error)

    async def reconcile(key: str) -> Any:
        return cb.NotApplied()

    app = made_of(shop, "once", upstream={"retry": cb.Retry(attempts=3), "breaker": None}, reconcile=reconcile)
    async with runtime(app) as test:
        handle = await test.start("flow", 1)
        await test.wind(hours=1)
        assert not (await failure(handle)).detail["made"]
    assert shop.calls == 3


async def test_such_a_call_counts_as_a_retry() -> None:
    shop = Shop(1)

    async def reconcile(key: str) -> Any:
        return cb.NotApplied()

    async with runtime(made_of(shop, "once", reconcile=reconcile)) as test:
        handle = await test.start("flow", 1)
        await test.wind(600)
        assert await handle.result(timeout=30) == ["answer 2"]
        assert (await gate_of(test).look()).retries == 1


async def test_a_once_call_whose_answer_was_no_json_leaves_doubt() -> None:
    shop = Shop(9, lambda: json.JSONDecodeError("Expecting value", "<html>", 0))
    async with runtime(made_of(shop, "once")) as test:
        handle = await test.start("flow", 1)
        await open_question(test, handle)
    assert shop.calls == 1


async def test_a_once_call_that_would_begin_after_its_window_is_not_made() -> None:
    shop = Shop()
    app = made_of(shop, "once", upstream={"concurrency": 1, "patience": 5.0})
    async with runtime(app, settings=QUICK) as test:
        async with gate_of(test).enter():
            handle = await test.start("flow", 1)
            await test.settle()
            assert (await handle.status(), shop.calls) == (cb.RunStatus.WAITING, 0)
        while not (await handle.status()).ended:  # its window is short: a slow machine may miss it again
            await test.wind(40)
        assert await handle.result(timeout=30) == ["answer 1"]
    assert shop.calls == 1


async def test_a_once_call_that_gets_through_a_slow_gate_too_late_is_not_made() -> None:
    shop = Shop()
    app = made_of(shop, "once")
    async with runtime(app, settings=QUICK) as test:
        counters = gate_of(test)._counters
        read, slow = counters.read, asyncio.Event()

        async def slowly(name: str) -> Any:
            if not slow.is_set():
                slow.set()
                await asyncio.sleep(0.15)
            return await read(name)

        counters.read = slowly  # type: ignore[method-assign]
        handle = await test.start("flow", 1)
        await slow.wait()
        while not (await handle.status()).ended:
            await test.wind(10)
        assert await handle.result(timeout=30) == ["answer 1"]
        refused, *_ = await details(test, handle)
        assert (refused["made"], refused["by"]) == (False, "limit")
    assert shop.calls == 1
