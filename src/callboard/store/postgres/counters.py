"""Shared limits on PostgreSQL. Its shape is `callboard.resilience.counters.Counters`.

Each method is one statement, outside any transaction unless PgBouncer needs one, so that no lock outlasts a round
trip. The clock is read after the row is locked.
"""

import contextlib
import itertools
import math
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from callboard.connections.postgres import Database
from callboard.domain.errors import StoreError
from callboard.store.postgres.sql import statements

_NOBODY = ""  # counters are no tenant's
_AT_DOORS = ("door:", "login:")  # as the policy on counter_rates says it, too
_SWEEP = 4_096  # writes between two looks for rows that say nothing any more


class PostgresCounters:
    """Counters in the tables `counter_*`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("counters")
        self._writes = 0

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        """See callboard.resilience.counters.Counters."""
        return (await self.take_all(name, [cost], limit, period))[0]

    async def take_all(self, name: str, costs: Sequence[float], limit: float, period: float) -> list[float]:
        """See callboard.resilience.counters.Counters."""
        sums = list(itertools.accumulate(cost for cost in costs if cost <= limit))
        if not sums:
            return [math.inf] * len(costs)
        async with self._session(name) as conn:
            level, granted = await conn.fetchrow(self._sql["take"], name, sums, limit, period)
        await self._swept()
        turns = iter([0.0] * granted + [(level + ahead - limit) * period / limit for ahead in sums[granted:]])
        return [next(turns) if cost <= limit else math.inf for cost in costs]

    async def give_back(self, name: str, cost: float, limit: float, period: float) -> None:
        """See callboard.resilience.counters.Counters."""
        async with self._session(name) as conn:
            await conn.execute(self._sql["give_back"], name, cost, limit, period)

    async def enter(self, name: str, holder: str, limit: int, lease: float) -> bool:
        """See callboard.resilience.counters.Counters."""
        async with self._session(name) as conn:
            entered: bool = await conn.fetchval(self._sql["enter"], name, holder, limit, lease)
        await self._swept()
        return entered

    async def leave(self, name: str, holder: str) -> None:
        """See callboard.resilience.counters.Counters."""
        async with self._session(name) as conn:
            await conn.execute(self._sql["leave"], name, holder)

    async def read(self, name: str) -> tuple[int, bytes, float]:
        """See callboard.resilience.counters.Counters."""
        async with self._session(name) as conn:
            found = await conn.fetchrow(self._sql["read"], name)
        return (0, b"", 0.0) if found is None else (found[0], found[1], found[2])

    async def swap(self, name: str, version: int, value: bytes) -> bool:
        """See callboard.resilience.counters.Counters."""
        async with self._session(name) as conn:
            if version == 0:
                return await conn.fetchval(self._sql["create"], name, value) is not None
            return await conn.fetchval(self._sql["swap"], name, value, version) is not None

    async def add(self, name: str, n: int, window: float) -> int:
        """See callboard.resilience.counters.Counters."""
        async with self._session(name) as conn:
            total: int = await conn.fetchval(self._sql["add"], name, n, window)
        await self._swept()
        return total

    async def count(self, name: str, window: float) -> int:
        """See callboard.resilience.counters.Counters."""
        async with self._session(name) as conn:
            total: int = await conn.fetchval(self._sql["count"], name, window)
        return total

    async def forget(self, name: str) -> None:
        """See callboard.resilience.counters.Counters."""
        async with self._session(name) as conn:
            await conn.execute(self._sql["forget"], name)

    def _session(self, name: str) -> AbstractAsyncContextManager[Any]:
        """A connection for one statement. A door has a part in what is counted at doors, and in nothing else."""
        if not self._database.door:
            return self._database.acquire()
        if not name.startswith(_AT_DOORS):
            raise StoreError(
                f"a door has no part in the shared counters of {name}", remedy="ask a worker, or open it as an operator"
            )
        return self._database.transaction(_NOBODY) if self._database.bouncing else self._database.reading(_NOBODY)

    async def _swept(self) -> None:
        """Every now and then drops rows that say no more than a missing row would. Doors leave that to workers."""
        if self._database.door:
            return
        self._writes += 1
        if self._writes % _SWEEP == 0:
            with contextlib.suppress(StoreError):  # what was asked for has been done already
                async with self._database.acquire() as conn:
                    await conn.execute(self._sql["sweep"])
