"""A clock that can be wound: a flow that waits three days is tested in milliseconds."""

import heapq
import itertools
import time
from collections.abc import Callable


class WindingTimer:
    """A pending call of a winding clock."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Forgets it."""
        self.callback = None


class WindingClock:
    """Stands still until it is wound. `start` is in seconds since the Unix epoch.

    Only durable time is wound: monotonic time, by which heartbeats and windows are measured, goes on.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._timers: list[tuple[float, int, WindingTimer]] = []
        self._count = itertools.count()

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self._now

    def monotonic(self) -> float:
        """The machine's monotonic seconds."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], object]) -> WindingTimer:
        """Calls back when the clock has been wound to `when`."""
        timer = WindingTimer(when, callback)
        heapq.heappush(self._timers, (when, next(self._count), timer))
        return timer

    def next_timer(self) -> float | None:
        """When the next timer rings."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def set(self, when: float) -> None:
        """Moves to a time, forward or back, and rings every timer that is due then."""
        self._now = when
        while (due := self.next_timer()) is not None and due <= self._now:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                callback()
