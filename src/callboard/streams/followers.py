"""Those who follow runs in this process: where they stand, what they miss, and how they are woken."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from callboard.connections.backoff import Backoff
from callboard.domain.errors import StoreError
from callboard.streams.stream import GAP, Chunk, Position, position

_log = logging.getLogger("callboard.streams")


class Source(Protocol):
    """Where chunks are kept. Raises StoreError when it cannot be reached."""

    async def newest(self, tenant: str, run_id: str) -> Position:
        """The last chunk of a run; (0, 0) if there is none."""
        ...

    async def read(self, tenant: str, run_id: str, after: Position) -> list[Chunk]:
        """The next chunks of a run, in order; empty when there are none yet."""
        ...


@dataclass(eq=False, slots=True)
class Follower:
    """One reader. `news` is set while there may be something to read."""

    tenant: str
    run_id: str
    at: Position = (0, 0)
    waits: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Followers:
    """Reads for each follower in its own pace; who has read all waits to be woken."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._by_run: dict[str, set[Follower]] = {}
        self.waiting = asyncio.Event()  # set when somebody begins to wait

    def wake(self, run_ids: Iterable[str]) -> None:
        """There are chunks of these runs."""
        for run_id in run_ids:
            for follower in self._by_run.get(run_id, ()):
                follower.news.set()

    def wake_all(self) -> None:
        """There may be chunks of any run."""
        self.wake(self._by_run)

    def idle(self) -> list[Follower]:
        """Those who have read all and wait."""
        return [f for followers in self._by_run.values() for f in followers if f.waits and not f.news.is_set()]

    async def follow(self, tenant: str, run_id: str, after: str | None = None) -> AsyncIterator[Chunk]:
        """See callboard.streams.stream.Stream."""
        follower = Follower(tenant, run_id)
        known = after is not None
        if after is not None:
            follower.at = position(after)
        backoff = Backoff()
        self._by_run.setdefault(run_id, set()).add(follower)
        try:
            while True:
                follower.news.clear()
                try:
                    if not known:
                        follower.at = await self._source.newest(tenant, run_id)
                        known = True
                        told = follower.at != (0, 0)
                    chunks = await self._source.read(tenant, run_id, follower.at)
                except StoreError as error:
                    _log.debug("run %s cannot be followed for now: %s", run_id, error)
                    await asyncio.sleep(backoff.pause())
                    continue
                backoff.reset()
                for chunk in chunks:
                    # Who began with nothing kept was not promised anything that came before.
                    lost = _lost(follower.at, chunk) if after is not None or told else 0
                    told = True
                    follower.at = (chunk.epoch, chunk.number)
                    if lost:
                        yield Chunk(run_id, chunk.epoch, "", chunk.number - 1, GAP, {"lost": lost}, tenant)
                    yield chunk
                if not chunks:
                    follower.waits = True
                    self.waiting.set()
                    await follower.news.wait()
                    follower.waits = False
        finally:
            followers = self._by_run[run_id]
            followers.discard(follower)
            if not followers:
                del self._by_run[run_id]


def _lost(at: Position, chunk: Chunk) -> int:
    """How many chunks came between: numbers count without a break, and begin anew in each epoch."""
    epoch, number = at
    return chunk.number - 1 - (number if chunk.epoch == epoch else 0)
