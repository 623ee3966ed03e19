"""A second call beside a slow first one: the first good answer counts.

From Dean and Barroso, "The Tail at Scale" (CACM 56:2, 2013): when few calls are slow, a second one after the time that
most take cuts the tail at the price of few calls more. Only for calls that change nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def hedged(call: Callable[[], Awaitable[T]], after: float, allowed: Callable[[], bool]) -> T:
    """The first good answer of one or two calls; the other call is cancelled.

    Args:
        call: makes the call once.
        after: seconds until the second call is made, if there is no answer by then.
        allowed: asked just before, whether it may be made.

    Raises what the first call raised, if no call succeeded.
    """
    first = asyncio.ensure_future(call())
    calls = {first}
    try:
        await asyncio.wait(calls, timeout=after)
        if not first.done() and allowed():
            calls.add(asyncio.ensure_future(call()))
        waiting = set(calls)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                if not each.cancelled() and each.exception() is None:
                    return each.result()
        return first.result()
    finally:
        left = [each for each in calls if not each.done()]
        for each in left:
            each.cancel()
        if left:
            await asyncio.gather(*left, return_exceptions=True)
