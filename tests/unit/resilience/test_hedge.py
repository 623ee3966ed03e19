"""A second call beside a slow first one: the first good answer counts, and the other call ends."""

import asyncio

import pytest

from callboard.resilience.hedge import hedged


class Upstream:
    """Answers each call as it is told: with its number, after some time or never, or with an exception."""

    def __init__(self, *behaviour: float | BaseException | None) -> None:
        self.behaviour = behaviour
        self.calls = 0
        self.cancelled: list[int] = []

    async def __call__(self) -> int:
        self.calls += 1
        number, told = self.calls, self.behaviour[self.calls - 1]
        try:
            if told is None:
                await asyncio.Event().wait()
            elif isinstance(told, BaseException):
                raise told
            else:
                await asyncio.sleep(told)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return number


def yes() -> bool:
    return True


async def test_a_quick_answer_has_no_second_call() -> None:
    upstream = Upstream(0.0)
    assert await hedged(upstream, 5.0, yes) == 1
    assert upstream.calls == 1


async def test_the_second_answers_for_a_first_that_hangs_and_is_then_cancelled() -> None:
    upstream = Upstream(None, 0.0)
    assert await hedged(upstream, 0.01, yes) == 2
    assert upstream.cancelled == [1]


async def test_the_first_may_still_win_and_the_second_is_cancelled() -> None:
    upstream = Upstream(None, None)

    async def call() -> int:
        if upstream.calls == 0:
            upstream.calls = 1
            while upstream.calls < 2:
                await asyncio.sleep(0.01)
            return 1
        return await upstream()

    assert await hedged(call, 0.01, yes) == 1
    assert upstream.cancelled == [2]


async def test_a_second_call_that_fails_is_not_the_answer() -> None:
    upstream = Upstream(None, OSError("away"))

    async def call() -> int:
        if upstream.calls == 0:
            upstream.calls = 1
            while upstream.calls < 2:
                await asyncio.sleep(0.01)
            return 1
        return await upstream()

    assert await hedged(call, 0.01, yes) == 1


async def test_a_first_call_that_fails_late_leaves_it_to_the_second() -> None:
    late = asyncio.Event()

    class First(Upstream):
        async def __call__(self) -> int:
            if self.calls == 0:
                self.calls = 1
                await asyncio.sleep(0.03)
                late.set()
                raise OSError("away")
            await late.wait()
            return 2

    assert await hedged(First(), 0.01, yes) == 2


async def test_when_both_fail_the_first_says_why() -> None:
    upstream = Upstream(0.03, ValueError("second"))

    async def call() -> int:
        if await upstream() == 1:
            raise ValueError("first")
        raise AssertionError("the second never returns")

    with pytest.raises(ValueError, match="first"):
        await hedged(call, 0.01, yes)


async def test_a_first_call_that_fails_at_once_is_no_reason_for_a_second() -> None:
    upstream = Upstream(OSError("away"))
    with pytest.raises(OSError, match="away"):
        await hedged(upstream, 5.0, yes)
    assert upstream.calls == 1


async def test_without_leave_there_is_no_second_call() -> None:
    upstream = Upstream(0.03)
    assert await hedged(upstream, 0.01, lambda: False) == 1
    assert upstream.calls == 1


async def test_who_gives_up_takes_both_calls_along() -> None:
    upstream = Upstream(None, None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await hedged(upstream, 0.01, yes)
    assert sorted(upstream.cancelled) == [1, 2]
