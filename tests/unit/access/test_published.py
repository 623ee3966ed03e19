"""What somebody else publishes: who waits for it while it does not come, and who need not."""

import asyncio

import pytest

from callboard.access.published import Published
from callboard.domain.errors import TryLater

HOUR = 3_600.0


class Far:
    """Something that takes until it is let go of; `answers` are what comes, one after the other."""

    def __init__(self, *answers: str | Exception) -> None:
        self.now = 0.0
        self.asked = 0
        self.takes = 0.0  # seconds of the clock
        self.open = asyncio.Event()
        self.open.set()
        self._answers = list(answers)

    async def fetch(self) -> str:
        self.asked += 1
        await self.open.wait()
        self.now += self.takes
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def published(self) -> "Published[str]":
        return Published("the thing", self.fetch, lambda: self.now)


async def test_of_many_who_want_it_one_asks_and_none_waits_twice() -> None:
    far = Far(TimeoutError("no answer"), "new")
    far.takes = 10.0  # as long as nobody asks again anyway
    wanted = far.published()
    found = await asyncio.gather(*(wanted.get() for _ in range(5)), return_exceptions=True)
    assert far.asked == 1 and all(isinstance(each, TryLater) and "no answer" in each.why for each in found)
    far.now += 10.0
    assert await wanted.get() == "new"


async def test_who_has_an_old_one_does_not_wait_for_the_new_one() -> None:
    far = Far("old", "new", OSError("away"), OSError("still away"))
    wanted = far.published()
    assert await wanted.get() == "old"
    far.now += HOUR + 1
    far.open.clear()
    first = asyncio.create_task(wanted.get())
    await asyncio.sleep(0)
    assert far.asked == 2
    assert await asyncio.wait_for(wanted.get(), 5) == "old"
    patient = asyncio.create_task(wanted.get(lambda value: value == "new"))  # the old one is no good to them
    await asyncio.sleep(0)
    assert not patient.done()
    far.open.set()
    assert (await first, await patient, far.asked) == ("new", "new", 2)
    far.now += 2 * HOUR
    assert await wanted.get() == "new"  # it cannot be had, and is young enough
    far.now += 24 * HOUR
    with pytest.raises(TryLater):
        await wanted.get()
