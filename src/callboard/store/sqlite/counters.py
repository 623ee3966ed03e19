"""Shared limits on SQLite, for several processes on one file. Its shape is `callboard.resilience.counters.Counters`."""

import math
from collections.abc import Callable, Sequence

import apsw

from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import one, statements
from callboard.store.sqlite.writer import Writer

_SLOTS = 60  # parts of a window
_SOON = 1e-6  # a wait below this part of a period is rounding, not waiting
_SWEEP = 4_096  # writes between two looks for rows that say nothing any more


class SqliteCounters:
    """Counters in one file. Every write is one function on the writing thread, in the group's transaction.

    Args:
        clock: seconds that all processes of this machine agree on; read while the file's write lock is held.
    """

    def __init__(self, writer: Writer, reader: Reader, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._sql = statements("counters")
        self._writes = 0

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        """See callboard.resilience.counters.Counters."""
        return (await self.take_all(name, [cost], limit, period))[0]

    async def take_all(self, name: str, costs: Sequence[float], limit: float, period: float) -> list[float]:
        """See callboard.resilience.counters.Counters."""

        def work(db: apsw.Connection) -> list[float]:
            now = self._clock()
            used = ahead = self._level(db, name, now, limit, period)
            waits = []
            for cost in costs:
                if cost > limit:
                    waits.append(math.inf)
                    continue
                ahead += cost
                wait = (ahead - limit) * period / limit
                if wait <= period * _SOON:
                    wait, used = 0.0, ahead
                waits.append(wait)
            if 0.0 in waits:
                db.execute(self._sql["fill"], (name, used, now, now + 2 * period))
                self._swept(db, now)
            return waits

        waits: list[float] = await self._writer.call(work)
        return waits

    async def give_back(self, name: str, cost: float, limit: float, period: float) -> None:
        """See callboard.resilience.counters.Counters."""

        def work(db: apsw.Connection) -> None:
            now = self._clock()
            used = self._level(db, name, now, limit, period) - cost
            db.execute(self._sql["fill"], (name, min(max(used, 0.0), 2 * limit), now, now + 2 * period))

        await self._writer.call(work)

    async def enter(self, name: str, holder: str, limit: int, lease: float) -> bool:
        """See callboard.resilience.counters.Counters."""

        def work(db: apsw.Connection) -> bool:
            now = self._clock()
            db.execute(self._sql["lapse"], (name, now, lease))
            entered = one(db, self._sql["enter"], (name, holder, now, now + lease, limit)) is not None
            self._swept(db, now)
            return entered

        entered: bool = await self._writer.call(work)
        return entered

    async def leave(self, name: str, holder: str) -> None:
        """See callboard.resilience.counters.Counters."""
        await self._writer.call(lambda db: db.execute(self._sql["leave"], (name, holder)).fetchall())

    async def read(self, name: str) -> tuple[int, bytes, float]:
        """See callboard.resilience.counters.Counters."""
        found = await self._reader.call(lambda db: one(db, self._sql["read"], (name,)))
        if found is None:
            return 0, b"", 0.0
        version, value, at = found
        return version, value, abs(self._clock() - at)

    async def swap(self, name: str, version: int, value: bytes) -> bool:
        """See callboard.resilience.counters.Counters."""

        def work(db: apsw.Connection) -> bool:
            now = self._clock()
            fresh = int(now * 1e6)  # so that a version that was forgotten does not come again
            if version == 0:
                return one(db, self._sql["create"], (name, fresh, value, now)) is not None
            return one(db, self._sql["swap"], (name, fresh, value, now, version)) is not None

        swapped: bool = await self._writer.call(work)
        return swapped

    async def add(self, name: str, n: int, window: float) -> int:
        """See callboard.resilience.counters.Counters."""

        def work(db: apsw.Connection) -> int:
            now = self._clock()
            slot = math.floor(now * _SLOTS / window)
            db.execute(self._sql["age"], (name, slot))
            db.execute(self._sql["add"], (name, slot, n, now + window))
            self._swept(db, now)
            return int(one(db, self._sql["count"], (name, slot))[0])

        total: int = await self._writer.call(work)
        return total

    async def count(self, name: str, window: float) -> int:
        """See callboard.resilience.counters.Counters."""
        slot = math.floor(self._clock() * _SLOTS / window)
        found = await self._reader.call(lambda db: one(db, self._sql["count"], (name, slot)))
        return int(found[0])

    async def forget(self, name: str) -> None:
        """See callboard.resilience.counters.Counters."""

        def work(db: apsw.Connection) -> None:
            for kind in ("rate", "places", "value", "window"):
                db.execute(self._sql[f"forget_{kind}"], (name,))

        await self._writer.call(work)

    def _level(self, db: apsw.Connection, name: str, now: float, limit: float, period: float) -> float:
        """How much of a bucket is used by now."""
        used, at = one(db, self._sql["rate"], (name,)) or (0.0, now)
        level: float = min(max(used - abs(now - at) * limit / period, 0.0), 2 * limit)
        return level

    def _swept(self, db: apsw.Connection, now: float) -> None:
        """Every now and then drops rows that say no more than a missing row would."""
        self._writes += 1
        if self._writes % _SWEEP == 0:
            for kind in ("rates", "places", "windows"):
                db.execute(self._sql[f"sweep_{kind}"], (now,))
