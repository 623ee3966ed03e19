"""Pauses grow to a limit, differ between processes, and are short again after a success."""

import asyncio
import contextlib
import random

from callboard.connections.backoff import Backoff
from callboard.connections.tasks import end


def test_pauses_grow_up_to_the_longest() -> None:
    backoff = Backoff(first=0.1, most=1.0, chance=random.Random(1))
    pauses = [backoff.pause() for _ in range(100)]
    for pause, longest in zip(pauses, [0.1, 0.2, 0.4, 0.8, *[1.0] * 96], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(pauses)) == 100


def test_after_a_success_it_begins_anew() -> None:
    backoff = Backoff(first=0.1, most=1.0)
    for _ in range(9):
        backoff.pause()
    backoff.reset()
    assert backoff.pause() <= 0.1


async def test_a_task_that_swallows_a_cancellation_is_ended_all_the_same() -> None:
    async def stubborn() -> None:
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        await asyncio.sleep(60)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(end([task]), 10)
    assert task.cancelled()
    await end([])
