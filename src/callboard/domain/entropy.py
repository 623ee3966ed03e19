"""Random bytes for ids, taken from their source many at a time: asking the system for ten costs as much as for 640, and
lets other threads in between."""

import os
from collections.abc import Callable

_PIECE = 640


class Pooled:
    """Returns so many random bytes, each byte once. Not for secrets: what is still to come lies in memory.

    Args:
        source: returns so many random bytes.
    """

    __slots__ = ("_at", "_bytes", "_pid", "_source")

    def __init__(self, source: Callable[[int], bytes]) -> None:
        self._source = source
        self._bytes = b""
        self._at = 0
        self._pid = 0

    def __call__(self, count: int) -> bytes:
        """The next bytes."""
        end = self._at + count
        if end > len(self._bytes) or self._pid != os.getpid():  # a forked process must not go on with its parent's
            self._bytes, self._at, end, self._pid = self._source(max(_PIECE, count)), 0, count, os.getpid()
        found = self._bytes[self._at : end]
        self._at = end
        return found
