"""Counters in this process: for one worker on a laptop, for tests, and while the shared ones are away."""

import math
import time
from collections.abc import Callable, Sequence

_SLOTS = 60  # parts of a window
_SOON = 1e-6  # a wait below this part of a period is rounding, not waiting
_SWEEP = 4_096  # writes between two looks for names that say nothing any more


class InProcessCounters:
    """All of `Counters` in dictionaries. Nothing in it awaits, so each method is atomic on one event loop.

    Args:
        clock: seconds that pass; only distances count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rates: dict[str, tuple[float, float, float]] = {}  # used, at, void from
        self._places: dict[str, tuple[dict[str, float], float]] = {}  # since when by holder; void from
        self._values: dict[str, tuple[int, bytes, float]] = {}
        self._windows: dict[str, tuple[dict[int, int], float]] = {}  # how many by slot; void from
        self._writes = 0
        self._version = 0

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        return (await self.take_all(name, [cost], limit, period))[0]

    async def take_all(self, name: str, costs: Sequence[float], limit: float, period: float) -> list[float]:
        now = self._clock()
        used = ahead = self._level(name, now, limit, period)
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
        self._rates[name] = (used, now, now + 2 * period)
        self._swept(now)
        return waits

    async def give_back(self, name: str, cost: float, limit: float, period: float) -> None:
        now = self._clock()
        level = self._level(name, now, limit, period)
        self._rates[name] = (min(max(level - cost, 0.0), 2 * limit), now, now + 2 * period)
        self._swept(now)

    async def enter(self, name: str, holder: str, limit: int, lease: float) -> bool:
        now = self._clock()
        found, _ = self._places.get(name, ({}, 0.0))
        held = {who: since for who, since in found.items() if abs(now - since) < lease}
        entered = holder in held or len(held) < limit
        if entered:
            held[holder] = now
        self._places[name] = (held, now + lease)
        self._swept(now)
        return entered

    async def leave(self, name: str, holder: str) -> None:
        if name in self._places:
            self._places[name][0].pop(holder, None)

    async def read(self, name: str) -> tuple[int, bytes, float]:
        version, value, at = self._values.get(name, (0, b"", math.nan))
        return version, value, abs(self._clock() - at) if version else 0.0

    async def swap(self, name: str, version: int, value: bytes) -> bool:
        if self._values.get(name, (0,))[0] != version:
            return False
        self._version += 1
        self._values[name] = (self._version, value, self._clock())
        return True

    async def add(self, name: str, n: int, window: float) -> int:
        now = self._clock()
        slots = self._recent(name, now, window)
        slot = math.floor(now * _SLOTS / window)
        slots[slot] = slots.get(slot, 0) + n
        self._windows[name] = (slots, now + window)
        self._swept(now)
        return sum(slots.values())

    async def count(self, name: str, window: float) -> int:
        return sum(self._recent(name, self._clock(), window).values())

    async def forget(self, name: str) -> None:
        for kind in (self._rates, self._places, self._values, self._windows):
            kind.pop(name, None)

    def _level(self, name: str, now: float, limit: float, period: float) -> float:
        """How much of a bucket is used by now."""
        used, at, _ = self._rates.get(name, (0.0, now, 0.0))
        return min(max(used - abs(now - at) * limit / period, 0.0), 2 * limit)

    def _recent(self, name: str, now: float, window: float) -> dict[int, int]:
        slots, _ = self._windows.get(name, ({}, 0.0))
        here = math.floor(now * _SLOTS / window)
        return {slot: n for slot, n in slots.items() if abs(slot - here) < _SLOTS}

    def _swept(self, now: float) -> None:
        """Every now and then drops names that say no more than an unknown name would."""
        self._writes += 1
        if self._writes % _SWEEP == 0:
            self._rates = {name: row for name, row in self._rates.items() if row[2] > now}
            self._places = {name: row for name, row in self._places.items() if row[1] > now}
            self._windows = {name: row for name, row in self._windows.items() if row[1] > now}
