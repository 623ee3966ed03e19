"""Ending tasks that speak to a server."""

import asyncio
from collections.abc import Iterable

_AGAIN = 0.2  # seconds


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels the tasks until they have ended: a client that is cancelled just when an answer comes may swallow it."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN)
