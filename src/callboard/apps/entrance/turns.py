"""Who is let in, who waits, and who is sent away: by how many are inside, and by how long others have waited already.

A queue that is worked off within a moment takes up a burst. One whose first has waited for longer does not get shorter
by itself: whoever joins it only makes it later for all (as CoDel has it for packets). So more are sent away at once,
and those that are let in are answered soon, however many there are outside.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable

_AT_ONCE = 256  # worked on: enough for the store to commit them together
_ROUND = 32  # begun before the event loop comes round: each step of those that were begun before waits for that
_LONG = 0.2  # seconds for which the first in line has waited when the line is too long
_BURST = 0.8  # seconds for which it may be: as when a thousand streams come back after a restart
_PATIENCE = 0.8  # seconds in which it must be one's turn

LET_IN = frozenset({"/livez", "/readyz", "/metrics"})  # who restarts and who watches must be answered now above all


class Turns:
    """Counts the requests that a process has in hand. Whoever calls adds to and takes from `inside`.

    Args:
        most: requests in hand.
        clock: monotonic seconds; the event loop's by default.
    """

    def __init__(self, most: int, clock: Callable[[], float] | None = None) -> None:
        self.inside = 0
        self._most = most
        self._clock = clock
        self._taken = 0
        self._begun = 0  # in this round of the event loop
        self._long = -math.inf  # since when the line is too long, but for moments
        self._seen = -math.inf  # when it was last seen to be
        self._coming = False  # whether another is asked for
        self._line: deque[tuple[asyncio.Future[bool], float]] = deque()  # since when each waits

    def refusal(self) -> str | None:
        """Why no more are let in; None if they are."""
        if self.inside >= self._most:
            return f"this process has {self._most:,} requests in hand"
        if not self._line:
            return None
        now = self._now()
        if now - self._line[0][1] <= _LONG:
            return None
        if now - self._seen > _BURST:  # it was short for as long: another burst may come
            self._long = now
        self._seen = now
        if now - self._long > _BURST:
            return f"those that came before have waited for {_LONG:g} s already"
        return None

    async def take(self) -> str | None:
        """Waits for one's turn, which `give` gives back; why there is none for who has waited too long."""
        if not self._line and self._taken < _AT_ONCE and self._begun < _ROUND:
            self._begin()
            return None
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._line.append((turn, self._now()))
        try:
            return None if await turn else f"it was not its turn for {_PATIENCE:g} s"
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give()
            raise

    def give(self) -> None:
        """Gives a turn back."""
        self._taken -= 1
        if self._line:
            self._go_on()

    def _begin(self) -> None:
        self._taken += 1
        self._begun += 1
        self._go_on()

    def _go_on(self) -> None:
        if not self._coming:
            self._coming = True
            asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        """The loop has come round: as many more may begin, those first in line who have not waited too long."""
        self._coming = False
        self._begun = 0
        latest = self._now() - _PATIENCE if self._line else 0.0
        while self._line and self._taken < _AT_ONCE and self._begun < _ROUND:
            turn, since = self._line.popleft()
            if not turn.done():
                turn.set_result(since >= latest)
                if since >= latest:
                    self._begin()

    def _now(self) -> float:
        return asyncio.get_running_loop().time() if self._clock is None else self._clock()
