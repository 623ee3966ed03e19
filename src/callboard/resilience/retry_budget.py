"""Keeps retries a small share of calls, so that an upstream in trouble is not called all the more for it.

The idea is Finagle's `RetryBudget` (deposits by calls, withdrawals by retries, and a reserve for the quiet hours;
twitter.github.io/finagle, Clients, Retries), which Envoy has as `retry_budget`. Here both are counted over the last
minute.
"""

import time
from collections import deque
from collections.abc import Callable

FLOOR = 10  # retries in a window that are always granted: a quiet upstream has calls too few to take a share of
_SLOT = 1.0  # seconds that are counted together


class RetryBudget:
    """Counts the calls and retries of this process.

    Args:
        share: retries may be at most this share of the calls within the window, from 0 to 1.
        floor: but so many are always granted, if any share is.
        window: seconds.
        clock: seconds that pass.
    """

    def __init__(
        self,
        share: float,
        *,
        floor: int = FLOOR,
        window: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._floor = floor if share > 0 else 0
        self._window = window
        self._clock = clock
        self._slots: deque[list[float]] = deque()  # when it began, calls, retries
        self._calls = self._retries = 0

    def call(self) -> None:
        """A call is made, whether for the first time or again."""
        self._slot()[1] += 1
        self._calls += 1

    def take(self) -> bool:
        """Whether one more retry stays within the share; counts it if so."""
        slot = self._slot()
        if self._retries + 1 > max(self._floor, self._share * self._calls):
            return False
        slot[2] += 1
        self._retries += 1
        return True

    def _slot(self) -> list[float]:
        """The present slot, after what has become too old was forgotten."""
        now, slots = self._clock(), self._slots
        if slots and 0 <= now - slots[-1][0] < _SLOT:
            return slots[-1]
        while slots and not 0 <= now - slots[0][0] < self._window:
            _, calls, retries = slots.popleft()
            self._calls -= int(calls)
            self._retries -= int(retries)
        slots.append([now, 0, 0])
        return slots[-1]
