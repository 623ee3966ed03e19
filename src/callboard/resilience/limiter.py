"""A limit around a call: so many in a time, and so many at once, over all processes."""

import asyncio
import contextlib
import logging
import math
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

from callboard.domain.errors import InputInvalid, RateLimited, StoreError, TryLater
from callboard.resilience.counters import Counters

_log = logging.getLogger("callboard.resilience")
_FIRST_LOOK, _LATER_LOOKS = 0.05, 1.0  # seconds between looks for a place that another process may have left


@dataclass(frozen=True, slots=True)
class Rate:
    """So many units (requests, tokens) in so many seconds. Raises InputInvalid."""

    limit: float
    period: float = 60.0

    def __post_init__(self) -> None:
        _positive(limit=self.limit, period=self.period)


@dataclass(frozen=True, slots=True)
class Concurrency:
    """So many at once. A place comes free `lease` seconds after its holder died. Raises InputInvalid."""

    limit: int
    lease: float = 60.0

    def __post_init__(self) -> None:
        _positive(limit=self.limit, lease=self.lease)


class Permit:
    """The right to make one call, for as long as the block lasts."""

    def __init__(self, cost: float) -> None:
        self.cost = cost
        self.used: float | None = None

    def settle(self, used: float) -> None:
        """Says what the call really took; the difference to its cost is given back, or charged, at the end."""
        self.used = used


class Limiter:
    """Lets calls through as fast as a shared limit allows.

    Args:
        counters: where is counted; see `callboard.resilience.fallback` for what to do without them.
        name: which limit, with its tenant in front if it is a tenant's.
        rate: how much in a time.
        concurrency: how many at once.
        patience: seconds that a call may wait here; longer waits are the caller's to plan.
        clock: monotonic seconds.
        sleep: waits for so many seconds.
        new_holder: makes a name for a place, no two alike in all processes.
    """

    def __init__(
        self,
        counters: Counters,
        name: str,
        *,
        rate: Rate | None = None,
        concurrency: Concurrency | None = None,
        patience: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        new_holder: Callable[[], str] = lambda: os.urandom(10).hex(),
    ) -> None:
        self._counters = counters
        self._name = name
        self._rate = rate
        self._concurrency = concurrency
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._new_holder = new_holder
        self._looking: deque[asyncio.Future[None]] = deque()

    @contextlib.asynccontextmanager
    async def hold(self, cost: float = 1.0, *, patience: float | None = None) -> AsyncIterator[Permit]:
        """Waits its turn, then holds a place until the block ends; `patience` in place of the limiter's own.

        A block that ends with TryLater (an inner limit, an open breaker) made no call: its cost is given back.
        Any other failure keeps the cost, unless it was settled.

        Raises RateLimited when the turn would come after `patience` seconds, InputInvalid for a cost that the
        limit can never grant, StoreUnavailable if the counters are away.
        """
        deadline = self._clock() + (self._patience if patience is None else patience)
        await self._take(cost, deadline)
        permit = Permit(cost)
        permit.settle(0.0)  # until the block is entered
        try:
            async with self._place(deadline):
                permit.used = None
                yield permit
        except TryLater:
            permit.settle(0.0)
            raise
        finally:
            if permit.used is not None:
                await self._give_back(cost - permit.used)

    async def _take(self, cost: float, deadline: float) -> None:
        rate = self._rate
        while rate is not None:
            wait = await self._counters.take(self._name, cost, rate.limit, rate.period)
            if wait == 0.0:
                return
            if wait == math.inf:
                raise InputInvalid(
                    f"{self._name}: a call of {cost:g} can never be granted",
                    why=f"the limit is {rate.limit:g} in {rate.period:g} seconds",
                    remedy="make the call smaller, or raise the limit",
                )
            if self._clock() + wait > deadline:
                raise RateLimited(
                    f"{self._name}: {rate.limit:g} in {rate.period:g} seconds are used up",
                    retry_after=wait,
                    why=f"the next turn is in {wait:.3g} seconds",
                )
            await self._sleep(wait)

    async def _give_back(self, cost: float) -> None:
        if self._rate is not None and cost != 0.0:
            with _harmless():
                await self._counters.give_back(self._name, cost, self._rate.limit, self._rate.period)

    @contextlib.asynccontextmanager
    async def _place(self, deadline: float) -> AsyncIterator[None]:
        if self._concurrency is None:
            yield
            return
        holder = self._new_holder()
        renewing = None
        try:
            await self._enter(holder, self._concurrency, deadline)
            renewing = asyncio.create_task(self._renew(holder, self._concurrency))
            yield
        finally:  # also when it was cancelled while entering: the place may have been taken by then
            if renewing is not None:
                renewing.cancel()
                await asyncio.wait({renewing})
            with _harmless():
                await self._counters.leave(self._name, holder)
            self._wake_next()

    async def _enter(self, holder: str, places: Concurrency, deadline: float) -> None:
        pause = _FIRST_LOOK
        while not await self._counters.enter(self._name, holder, places.limit, places.lease):
            left = deadline - self._clock()
            if left <= 0:
                raise RateLimited(
                    f"{self._name}: all {places.limit} places are taken",
                    retry_after=_LATER_LOOKS,
                    why="nobody left in time",
                )
            await self._look_again(min(pause, left))
            pause = min(2 * pause, _LATER_LOOKS)

    async def _look_again(self, seconds: float) -> None:
        """Waits until somebody in this process leaves; who waits longest looks first."""
        freed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._looking.append(freed)
        try:
            await asyncio.wait({freed}, timeout=seconds)
        finally:
            if freed in self._looking:
                self._looking.remove(freed)

    def _wake_next(self) -> None:
        if self._looking:
            self._looking.popleft().set_result(None)

    async def _renew(self, holder: str, places: Concurrency) -> None:
        """Keeps the place. Losing it (the process was stopped for too long) does not end the call under way."""
        while True:
            await asyncio.sleep(places.lease / 3)
            with _harmless():
                await self._counters.enter(self._name, holder, places.limit, places.lease)


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """What comes after a call must not take its result away: a lease ends by itself, a rate fills by itself."""
    try:
        yield
    except StoreError as error:
        _log.debug("shared limits: %s", error)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise InputInvalid(f"{name} of a limit is {value}", remedy="use a number above zero")
