"""Who asks while an answer is under way goes with the next one; the order of arrival is kept."""

import asyncio
from collections.abc import Sequence

import pytest

from callboard.domain.errors import StoreUnavailable
from callboard.resilience.batching import Batching
from callboard.resilience.in_process import InProcessCounters

HOUR = 3_600.0


class Slow(InProcessCounters):
    """Counters that answer when the gate is open, and remember what they were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches: list[list[float]] = []
        self.reads = 0
        self.broken: Exception | None = None

    async def take_all(self, name: str, costs: Sequence[float], limit: float, period: float) -> list[float]:
        self.batches.append(list(costs))
        if self.broken is not None:
            raise self.broken
        waits = await super().take_all(name, costs, limit, period)
        await self.gate.wait()
        return waits

    async def read(self, name: str) -> tuple[int, bytes, float]:
        self.reads += 1
        await asyncio.sleep(0)
        return await super().read(name)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_those_who_come_meanwhile_go_together() -> None:
    slow = Slow()
    line = Batching(slow)
    slow.gate.clear()
    first = asyncio.create_task(line.take("a", 1, 3, HOUR))
    await settled()
    rest = [asyncio.create_task(line.take("a", 1, 3, HOUR)) for _ in range(500)]
    await settled()
    slow.gate.set()
    waits = await asyncio.gather(first, *rest)
    assert [len(batch) for batch in slow.batches] == [1, 500]
    assert [wait == 0.0 for wait in waits] == [True] * 3 + [False] * 498
    assert waits[3:] == sorted(waits[3:])


async def test_other_names_and_other_limits_have_lines_of_their_own() -> None:
    slow = Slow()
    line = Batching(slow)
    slow.gate.clear()
    takes = [asyncio.create_task(line.take(name, 1, limit, HOUR)) for name in "ab" for limit in (5, 6)]
    await settled()
    assert slow.batches == [[1]] * 4
    slow.gate.set()
    assert list(await asyncio.gather(*takes)) == [0.0] * 4


async def test_an_error_reaches_all_who_went_together_and_the_next_may_succeed() -> None:
    slow = Slow()
    slow.broken = StoreUnavailable("away")
    line = Batching(slow)
    answers = await asyncio.gather(*(line.take("a", 1, 3, HOUR) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 5
    slow.broken = None
    assert await line.take("a", 1, 3, HOUR) == 0.0


async def test_what_was_granted_to_one_who_gave_up_is_given_back() -> None:
    slow = Slow()
    line = Batching(slow)
    slow.gate.clear()
    gone = asyncio.create_task(line.take("a", 3, 3, HOUR))
    await settled()
    gone.cancel()
    await settled()
    slow.gate.set()
    await settled()
    assert await line.take("a", 3, 3, HOUR) == 0.0


async def test_one_who_gives_up_in_line_is_not_counted() -> None:
    slow = Slow()
    line = Batching(slow)
    slow.gate.clear()
    first = asyncio.create_task(line.take("a", 1, 2, HOUR))
    await settled()
    gone, last = (asyncio.create_task(line.take("a", 1, 2, HOUR)) for _ in range(2))
    await settled()
    gone.cancel()
    slow.gate.set()
    assert list(await asyncio.gather(first, last)) == [0.0, 0.0]
    assert slow.batches == [[1], [1]]


async def test_reads_share_a_look_that_began_after_they_came() -> None:
    slow = Slow()
    line = Batching(slow)
    await slow.swap("a", 0, b"1")
    early = [asyncio.create_task(line.read("a")) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert slow.reads == 1
    version, _, _ = await slow.read("a")
    await slow.swap("a", version, b"2")
    late = [asyncio.create_task(line.read("a")) for _ in range(50)]
    await asyncio.gather(*early)
    assert {(await each)[1] for each in late} == {b"2"}
    assert slow.reads <= 4


async def test_nothing_is_kept_once_nobody_is_in_line() -> None:
    line = Batching(InProcessCounters())
    await asyncio.gather(*(line.take(str(n), 1, 3, HOUR) for n in range(100)), line.read("a"))
    await settled()
    assert not line._takes
    assert not line._reads


async def test_the_rest_goes_straight_through() -> None:
    counters = InProcessCounters()
    line = Batching(counters)
    assert await line.take_all("a", [1, 1], 1, HOUR) == pytest.approx([0.0, HOUR], rel=0.1)
    await line.give_back("a", 1, 1, HOUR)
    assert await counters.take("a", 1, 1, HOUR) == 0.0
    assert await line.enter("a", "anna", 1, 60)
    await line.leave("a", "anna")
    assert await counters.enter("a", "ben", 1, 60)
    assert await line.swap("a", 0, b"1")
    assert await line.add("a", 2, 60) == await line.count("a", 60) == 2
    await line.forget("a")
    assert (await counters.read("a"))[0] == await counters.count("a", 60) == 0
