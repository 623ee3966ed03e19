"""What limits do while the shared counters are away: go on, each process within its own part.

A limiter that fails closed turns a lost Redis into a lost service; one that fails open turns it into a storm on the
upstream. In between, each process keeps to its share in counters of its own. Money is never counted here.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from callboard.domain.errors import StoreUnavailable
from callboard.domain.words import words
from callboard.resilience.counters import Counters

_log = logging.getLogger("callboard.resilience")
T = TypeVar("T")


class Away(msgspec.Struct, frozen=True):
    """The shared counters cannot be used: since when, on this object's clock, and why."""

    since: float
    why: str


class Fallback:
    """Shared counters, and local ones for as long as those are away.

    While they are away a rate is the limit divided by the number of processes, a number of places likewise
    (never below one); values and windows are this process's own, so that each has its own breaker. One ask
    in every `again` seconds tries the shared ones. What is given back goes to where counting happens now: an
    outage may shift a rate by what was under way when it began or ended.

    Args:
        shared: raises StoreUnavailable while it is away.
        local: counters of this process.
        processes: how many processes share the limits, as far as is known.
        again: seconds between two tries.
        time_limit: seconds after which an answer counts as missing.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        shared: Counters,
        local: Counters,
        *,
        processes: Callable[[], int],
        again: float = 5.0,
        time_limit: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._local = local
        self._processes = processes
        self._again = again
        self._time_limit = time_limit
        self._clock = clock
        self._next_try = 0.0
        self.away: Away | None = None

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        """See Counters."""
        return (await self.take_all(name, [cost], limit, period))[0]

    async def take_all(self, name: str, costs: Sequence[float], limit: float, period: float) -> list[float]:
        """See Counters."""
        part = limit / self._parts()
        # A cost above this process's part must still pass at times: a larger bucket, filled no faster.
        room = max([part, *(cost for cost in costs if cost <= limit)])
        return await self._ask(
            lambda: self._shared.take_all(name, costs, limit, period),
            lambda: self._local.take_all(name, costs, room, period * room / part),
        )

    async def give_back(self, name: str, cost: float, limit: float, period: float) -> None:
        """See Counters."""
        await self._ask(
            lambda: self._shared.give_back(name, cost, limit, period),
            lambda: self._local.give_back(name, cost, limit / self._parts(), period),
        )

    async def enter(self, name: str, holder: str, limit: int, lease: float) -> bool:
        """See Counters."""
        return await self._ask(
            lambda: self._shared.enter(name, holder, limit, lease),
            lambda: self._local.enter(name, holder, max(1, limit // self._parts()), lease),
        )

    async def leave(self, name: str, holder: str) -> None:
        """See Counters. In both, since it may have been entered in either."""
        await self._local.leave(name, holder)
        await self._ask(lambda: self._shared.leave(name, holder), lambda: self._local.leave(name, holder))

    async def read(self, name: str) -> tuple[int, bytes, float]:
        """See Counters."""
        return await self._ask(lambda: self._shared.read(name), lambda: self._local.read(name))

    async def swap(self, name: str, version: int, value: bytes) -> bool:
        """See Counters. A version of the one never fits the other: the swap is refused and read again."""
        return await self._ask(
            lambda: self._shared.swap(name, version, value), lambda: self._local.swap(name, version, value)
        )

    async def add(self, name: str, n: int, window: float) -> int:
        """See Counters."""
        return await self._ask(lambda: self._shared.add(name, n, window), lambda: self._local.add(name, n, window))

    async def count(self, name: str, window: float) -> int:
        """See Counters."""
        return await self._ask(lambda: self._shared.count(name, window), lambda: self._local.count(name, window))

    async def forget(self, name: str) -> None:
        """See Counters. In both; raises StoreUnavailable, since what others still know is not forgotten."""
        await self._local.forget(name)
        await self._shared.forget(name)

    def _parts(self) -> int:
        return max(1, self._processes())

    async def _ask(self, shared: Callable[[], Awaitable[T]], local: Callable[[], Awaitable[T]]) -> T:
        if self.away is None or self._clock() >= self._next_try:
            self._next_try = self._clock() + self._again  # while this one tries, others need not
            try:
                async with asyncio.timeout(self._time_limit):
                    answer = await shared()
            except (StoreUnavailable, TimeoutError) as error:
                self._lost(error)
            else:
                self._found()
                return answer
        return await local()

    def _lost(self, error: BaseException) -> None:
        why = words(error) or f"no answer within {self._time_limit:g} seconds"
        if self.away is None:
            self.away = Away(self._clock(), why)
            _log.warning("shared limits are away, this process keeps to 1/%d of each: %s", self._parts(), why)

    def _found(self) -> None:
        if self.away is not None:
            _log.info("shared limits are back after %.0f seconds", self._clock() - self.away.since)
            self.away = None
