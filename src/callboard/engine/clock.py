"""Time, handed in. Durable times are seconds since the Unix epoch; waits in this process are monotonic."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


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
