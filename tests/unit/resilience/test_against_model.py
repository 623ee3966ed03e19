"""Whatever happens in whatever order, counters answer as a plain description of them does."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callboard.resilience.counters import Counters
from callboard.resilience.in_process import InProcessCounters
from callboard.store.sqlite import SqliteStore

LIMIT, PERIOD, LEASE, WINDOW = 10.0, 60.0, 30.0, 60.0

Step = tuple[str, Any]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(0, 100)),
        st.tuples(st.just("take"), st.lists(st.integers(0, 12), max_size=4)),
        st.tuples(st.just("give_back"), st.integers(-15, 15)),
        st.tuples(st.just("enter"), st.sampled_from("abcd")),
        st.tuples(st.just("leave"), st.sampled_from("abcd")),
        st.tuples(st.just("swap"), st.booleans()),
        st.tuples(st.just("add"), st.integers(0, 3)),
        st.tuples(st.just("forget"), st.none()),
    ),
    max_size=40,
)


class Model:
    """What the protocol says, as slowly and plainly as possible. Whole seconds only, so that sums are exact."""

    def __init__(self) -> None:
        self.now = 1_000
        self.forget(None)

    def forget(self, _: None) -> None:
        self.tokens = LIMIT
        self.filled_at = self.now
        self.since: dict[str, int] = {}
        self.value: tuple[int, bytes] | None = None
        self.added: list[tuple[int, int]] = []

    def fill(self) -> None:
        self.tokens = min(LIMIT, self.tokens + (self.now - self.filled_at) * LIMIT / PERIOD)
        self.filled_at = self.now

    def take(self, costs: list[int]) -> list[float | None]:
        """0.0 for who is granted, None for who has to wait, infinity for who will never be."""
        self.fill()
        answers: list[float | None] = []
        refused = False
        for cost in costs:
            if cost > LIMIT:
                answers.append(math.inf)
            elif not refused and cost <= self.tokens + 1e-5:
                self.tokens -= cost
                answers.append(0.0)
            else:
                refused = True
                answers.append(None)
        return answers

    def give_back(self, cost: int) -> None:
        self.fill()
        self.tokens = max(-LIMIT, min(LIMIT, self.tokens + cost))

    def enter(self, holder: str) -> bool:
        self.since = {who: at for who, at in self.since.items() if self.now - at < LEASE}
        if holder not in self.since and len(self.since) >= 2:
            return False
        self.since[holder] = self.now
        return True

    def leave(self, holder: str) -> None:
        self.since.pop(holder, None)

    def add(self, n: int) -> int:
        self.added.append((self.now, n))
        return self.count()

    def count(self) -> int:
        return sum(n for at, n in self.added if self.now - at < WINDOW)


async def play(counters: Counters, model: Model, todo: list[Step]) -> None:
    name = "a"
    version = 0
    for number, (what, value) in enumerate(todo):
        match what:
            case "pass":
                model.now += value
            case "take":
                waits = await counters.take_all(name, value, LIMIT, PERIOD)
                expected = model.take(value)
                assert [wait if wait in (0.0, math.inf) else None for wait in waits] == expected, waits
                finite = [wait for wait in waits if 0.0 < wait < math.inf]
                assert finite == sorted(finite)
            case "swap":
                right = value or version == 0
                assert await counters.swap(name, version if right else version + 1, b"%d" % number) is right
                if right:
                    model.value = (model.now, b"%d" % number)
                found, _, _ = await counters.read(name)
                assert found > version or not right
                version = found
            case "add":
                assert await counters.add(name, value, WINDOW) == model.add(value)
            case "enter":
                assert await counters.enter(name, value, 2, LEASE) is model.enter(value)
            case "leave":
                await counters.leave(name, value)
                model.leave(value)
            case "give_back":
                await counters.give_back(name, value, LIMIT, PERIOD)
                model.give_back(value)
            case "forget":
                await counters.forget(name)
                model.forget(None)
                version = 0
        assert await counters.count(name, WINDOW) == model.count()
        assert (await counters.read(name))[1:] == (
            (model.value[1], model.now - model.value[0]) if model.value else (b"", 0.0)
        )


@asynccontextmanager
async def in_process(clock: Callable[[], float]) -> AsyncIterator[Counters]:
    yield InProcessCounters(clock)


@asynccontextmanager
async def sqlite(clock: Callable[[], float]) -> AsyncIterator[Counters]:
    store = SqliteStore(":memory:", monotonic=clock)
    await store.open()
    yield store.counters
    await store.close()


@pytest.mark.parametrize("opened", [in_process, sqlite])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(todo=steps)
def test_counters_answer_as_the_model_does(opened: Callable[..., Any], todo: list[Step]) -> None:
    async def work() -> None:
        model = Model()
        async with opened(lambda: model.now) as counters:
            await play(counters, model, todo)

    asyncio.run(work())
