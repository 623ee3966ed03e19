"""The limit of calls that one task makes one after the other is held as `asyncio.timeout` would hold it."""

import asyncio

import pytest

from callboard.engine.call_limit import CallLimit


async def call(limit: CallLimit, seconds: float | None, takes: float) -> str:
    with limit.of(asyncio.current_task(), seconds):
        await asyncio.sleep(takes)
    return "done"


async def test_each_call_has_its_own_time_whichever_came_before() -> None:
    limit = CallLimit()
    assert await call(limit, 60, 0) == "done"
    for takes in (0.0, 5.0):  # a shorter limit than the one before, and the same again behind one that was kept
        if takes:
            with pytest.raises(TimeoutError):
                await call(limit, 0.02, takes)
            assert limit.expired
        else:
            assert await call(limit, 0.02, takes) == "done"
    assert [await call(limit, 0.05, 0.03) for _ in range(4)] == ["done"] * 4, "what rings for a call before is no end"
    assert await call(limit, None, 0.1) == "done"
    assert not limit.expired
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    limit.close()


async def test_a_cancel_by_somebody_else_stays_one_also_when_time_is_up() -> None:
    limit = CallLimit()
    task = asyncio.ensure_future(call(limit, 60, 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not limit.expired
    limit.close()

    async def stubborn() -> str:
        with limit.of(asyncio.current_task(), 0.02):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "answered all the same"
        return ""

    assert await asyncio.ensure_future(stubborn()) == "answered all the same"
    assert limit.expired


async def test_a_branch_that_has_ended_leaves_no_timer() -> None:
    loop = asyncio.get_running_loop()
    limit = CallLimit()
    await call(limit, 60, 0)
    timers = [each for each in loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined]
    assert len(timers) == 1
    limit.close()
    assert timers[0].cancelled()
