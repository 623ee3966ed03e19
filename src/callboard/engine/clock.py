"""Time, handed in. Durable times are seconds since the Unix epoch; waits in this process are monotonic."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

_TRUSTED = 0.05  # seconds by which two clocks may differ


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Forgets it."""
        ...


class Clock(Protocol):
    """Where the engine reads the time and waits for it."""

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; comparable between processes of one machine."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Calls back on the event loop when `now()` has reached `when`."""
        ...


class SystemClock:
    """The machine's time, anchored once: setting the wall clock does not move timers of a running process."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since the Unix epoch, as the wall clock stood when this clock was made, plus what has passed."""
        return self._offset + time.monotonic()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Calls back at a time; at once if it has passed."""
        return asyncio.get_running_loop().call_later(max(0.0, when - self.now()), callback)


class FleetClock:
    """A clock that goes by the database's, so that all workers agree on the time whatever their machines say.

    Only the offset is taken over, and only when it is off by more than an answer can be late.
    """

    def __init__(self, own: Clock) -> None:
        self._own = own
        self._offset = 0.0

    def now(self) -> float:
        """Seconds since the Unix epoch, as the database has them."""
        return self._own.now() + self._offset

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._own.monotonic()

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Calls back when `now()` has reached `when`."""
        return self._own.call_at(when - self._offset, callback)

    def correct(self, there: float, asked: float) -> None:
        """The database said that it is `there`; it was asked when `monotonic()` was `asked`."""
        late = self._own.monotonic() - asked
        offset = there + late / 2 - self._own.now()
        if abs(offset - self._offset) > _TRUSTED + late / 2:
            self._offset = offset
