"""What was looked up a moment ago, so that the next request need not look again."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps so many values for so many seconds; the oldest goes first.

    Args:
        seconds: how old one may be. What is changed elsewhere is seen after that time at the latest.
        most: how many are kept.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, most: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._kept: dict[K, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """What is known and fresh."""
        found = self._kept.get(key)
        if found is None:
            return None
        at, value = found
        if self._clock() - at > self._seconds:
            del self._kept[key]
            return None
        return value

    def put(self, key: K, value: V) -> None:
        """Keeps it, as of now."""
        self._kept.pop(key, None)
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (self._clock(), value)

    def drop(self, key: K) -> None:
        """Forgets it."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forgets all."""
        self._kept.clear()
