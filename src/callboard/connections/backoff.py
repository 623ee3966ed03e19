"""How long to wait before a server is asked again: longer each time, and not everybody at once."""

import random

_FIRST = 0.05  # seconds
_MOST = 2.0  # seconds


class Backoff:
    """Pauses between tries.

    Args:
        first: the first pause at most, in seconds; each later one may be twice as long.
        most: no pause is longer.
        chance: where randomness comes from; the system's by default.
    """

    def __init__(self, first: float = _FIRST, most: float = _MOST, chance: random.Random | None = None) -> None:
        self._first = first
        self._most = most
        self._chance = random.SystemRandom() if chance is None else chance
        self._tries = 0

    def pause(self) -> float:
        """Seconds to wait now."""
        longest = min(self._most, self._first * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return longest * self._chance.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: the next pause is short again."""
        self._tries = 0
