"""Streams within one process: of each run the last chunks are kept, for readers that come back."""

import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from callboard.streams.followers import Followers
from callboard.streams.stream import Chunk, Position

_EACH = 1_000  # chunks kept of a run
_RUNS = 1_000  # runs of which chunks are kept
_ALL = 50_000  # chunks kept of all runs
_QUIET = 600.0  # seconds without a chunk after which a run's are dropped


@dataclass(slots=True)
class _Kept:
    touched: float = 0.0
    chunks: deque[Chunk] = field(default_factory=lambda: deque(maxlen=_EACH))


class InProcessStream:
    """See callboard.streams.stream.Stream.

    Args:
        monotonic: seconds, for dropping what is old.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._runs: OrderedDict[tuple[str, str], _Kept] = OrderedDict()  # the one that was quiet longest first
        self._count = 0
        self._followers = Followers(self)

    @property
    def healthy(self) -> bool:
        return True  # there is nobody else to reach

    def publish(self, chunk: Chunk) -> None:
        place = (chunk.tenant, chunk.run_id)
        kept = self._runs.setdefault(place, _Kept())
        if kept.chunks and (chunk.epoch, chunk.number) <= _position(kept.chunks[-1]):
            return  # of an owner that lost the run
        self._runs.move_to_end(place)
        kept.touched = self._monotonic()
        self._count += len(kept.chunks) < _EACH
        kept.chunks.append(chunk)
        self._drop(kept.touched)
        self._followers.wake((chunk.run_id,))

    def follow(self, tenant: str, run_id: str, after: str | None = None) -> AsyncIterator[Chunk]:
        return self._followers.follow(tenant, run_id, after)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def newest(self, tenant: str, run_id: str) -> Position:
        """The last chunk of a run; (0, 0) if none is kept."""
        kept = self._runs.get((tenant, run_id))
        return _position(kept.chunks[-1]) if kept is not None else (0, 0)

    async def read(self, tenant: str, run_id: str, after: Position) -> list[Chunk]:
        """What is kept of a run after that position."""
        kept = self._runs.get((tenant, run_id))
        found: list[Chunk] = []
        for chunk in reversed(kept.chunks if kept is not None else ()):
            if _position(chunk) <= after:
                break
            found.append(chunk)
        return found[::-1]

    def _drop(self, now: float) -> None:
        while self._runs:
            quietest = next(iter(self._runs.values()))
            if len(self._runs) <= _RUNS and self._count <= _ALL and quietest.touched >= now - _QUIET:
                return
            self._runs.popitem(last=False)
            self._count -= len(quietest.chunks)


def _position(chunk: Chunk) -> Position:
    return chunk.epoch, chunk.number
