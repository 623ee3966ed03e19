"""The bell of a large fleet."""

import asyncio
import contextlib
from collections.abc import Iterable

from redis.asyncio import Redis

from callboard.connections.redis import TIMEOUT, connect
from callboard.connections.tasks import end
from callboard.dispatch.bell import Bell, Hint, Listener
from callboard.dispatch.redis_streams.announcements import Announcements
from callboard.dispatch.redis_streams.entries import Entries
from callboard.dispatch.redis_streams.keys import Keys
from callboard.dispatch.redis_streams.link import Link
from callboard.dispatch.redis_streams.teller import Teller

_PATIENCE = 2.0  # seconds that open waits for the server, and close for what is still to be told


class RedisBell:
    """See callboard.dispatch.bell.Bell. READY hints go to one worker each, in streams by shard and priority; the
    other news goes to every process. Whatever happens to Redis, hints are all that is lost.

    Args:
        url: `redis://…`.
        local: tells the listeners in this process.
        namespace: fleets that share one Redis use one each.
        consumer: this process's name, like no other's in the fleet, without spaces.
        shards: over how many streams the READY hints of one priority are spread.
        claims: whether a worker listens here, who answers READY hints.
        takeover: seconds after which a hint that a worker does not answer goes to another.
        timeout: seconds that Redis has for an answer.

    Raises:
        InputInvalid: the URL, the namespace or the number of shards cannot be used.
    """

    def __init__(
        self,
        url: str,
        local: Bell,
        namespace: str,
        consumer: str,
        *,
        shards: int = 1,
        claims: bool = True,
        takeover: float = 5.0,
        timeout: float = TIMEOUT,
    ) -> None:
        self._url = url
        self._local = local
        self._keys = Keys(namespace, shards)
        self._consumer = consumer
        self._claims = claims
        self._takeover = takeover
        self._timeout = timeout
        self._client: Redis = connect(url, timeout=timeout)
        self._links: list[Link] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._teller: Teller | None = None
        self._entries: Entries | None = None

    @property
    def healthy(self) -> bool:
        return bool(self._links) and all(link.works.is_set() for link in self._links)

    def ring(self, hints: Iterable[Hint]) -> None:
        told = list(hints)
        self._local.ring(told)
        if self._teller is not None:
            self._teller.tell(told, self._entries.rung() if self._entries is not None else 0)

    def listen(self, listener: Listener) -> None:
        self._local.listen(listener)

    def mark(self) -> int:
        return self._entries.mark if self._entries is not None else 0

    def answered(self, mark: int) -> None:
        if self._entries is not None:
            self._entries.answered(mark)

    async def open(self) -> None:
        await self._local.open()
        telling, hearing = Link("telling other processes", self._url), Link("hearing other processes", self._url)
        telling.works.set()  # until it fails
        self._links = [telling, hearing]
        self._teller = Teller(self._client, self._keys, self._consumer, telling)
        news = Announcements(self._client, self._keys, self._consumer, hearing, self._local.ring)
        work = [self._teller.run(), news.run()]
        if self._claims:
            joined = Link("hearing of runs that are ready", self._url)
            self._links.append(joined)
            self._entries = Entries(
                self._client,
                self._keys,
                self._consumer,
                self._teller,
                joined,
                heard=self._local.ring,
                takeover=self._takeover,
                block=self._timeout / 2,
            )
            work.append(self._entries.run())
        self._tasks = [asyncio.get_running_loop().create_task(each) for each in work]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                for link in self._links:
                    await link.works.wait()

    async def close(self) -> None:
        teller, tasks = self._teller, self._tasks
        healthy = self.healthy
        self._teller, self._entries, self._tasks, self._links = None, None, [], []
        if teller is not None and healthy:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(teller.idle.wait(), _PATIENCE)
        await end(tasks)
        with contextlib.suppress(Exception):
            await self._client.aclose()
        await self._local.close()
