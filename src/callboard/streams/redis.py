"""Streams through Redis: one of its streams for each run, trimmed and forgotten by Redis itself.

A chunk's place in its run is the entry's id, so Redis refuses doubles, and chunks of an owner that lost the run.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from callboard.connections.backoff import Backoff
from callboard.connections.redis import TIMEOUT, connect, explain
from callboard.connections.tasks import end
from callboard.domain.codec import decode
from callboard.domain.errors import InputInvalid
from callboard.streams.followers import Followers
from callboard.streams.outbox import Outbox, Outgoing
from callboard.streams.stream import Chunk, Position, position

_log = logging.getLogger("callboard.streams")
_PAGE = 500  # chunks read at a time
_EVERY = 0.01  # seconds for which chunks gather before they are sent
_EACH = 2_000  # chunks kept of a run, about
_KEEP = 3_600  # seconds that a run's chunks are kept after the last one
_SETTLE = 0.005  # seconds in which readers that were woken read, before those that wait are counted again
_PATIENCE = 2.0  # seconds that open waits for the server


class RedisStream:
    """See callboard.streams.stream.Stream.

    Args:
        url: `redis://…`.
        namespace: fleets that share one Redis use one each.
        name: this process's own, like no other's in the fleet.
        timeout: seconds that Redis has for an answer.

    Raises:
        InputInvalid: the URL or the namespace cannot be used.
    """

    def __init__(self, url: str, namespace: str, name: str, *, timeout: float = TIMEOUT) -> None:
        if not namespace or set(namespace) & set("{} \n"):
            raise InputInvalid(f"namespace={namespace!r} cannot stand in a key", remedy="use letters, digits and -_.:")
        self._url = url
        self._client: Redis = connect(url, timeout=timeout)
        self._prefix = f"callboard:{{{namespace}}}"  # a hash tag: in a cluster one read can watch many runs
        self._wake_key = f"{self._prefix}:wake:{name}"
        self._block = int(timeout * 500)
        self._outbox = Outbox(self._write, every=_EVERY)
        self._followers = Followers(self)
        self._reads = asyncio.Event()
        self._blocking = asyncio.Event()  # the watch waits in Redis
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def healthy(self) -> bool:
        return self._reads.is_set() and self._outbox.healthy

    def publish(self, chunk: Chunk) -> None:
        self._outbox.put(chunk)

    def follow(self, tenant: str, run_id: str, after: str | None = None) -> AsyncIterator[Chunk]:
        return self._followers.follow(tenant, run_id, after)

    async def open(self) -> None:
        self._outbox.open()
        start = asyncio.get_running_loop().create_task
        self._tasks = [start(self._watch_forever()), start(self._kick_forever())]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reads.wait(), _PATIENCE)

    async def close(self) -> None:
        await self._outbox.close()
        tasks, self._tasks = self._tasks, []
        await end(tasks)
        self._reads.clear()
        with contextlib.suppress(Exception):
            await self._client.aclose()

    async def newest(self, tenant: str, run_id: str) -> Position:
        """The last chunk of a run; (0, 0) if none is kept. Raises StoreError."""
        try:
            entries = await self._client.xrevrange(self._key(tenant, run_id), count=1)
        except (RedisError, OSError) as error:
            raise explain(error, self._url) from error
        return position(str(entries[0][0])) if entries else (0, 0)

    async def read(self, tenant: str, run_id: str, after: Position) -> list[Chunk]:
        """The next page of a run. Raises StoreError."""
        key = self._key(tenant, run_id)
        try:
            answer: Any = await self._client.xread({key: f"{after[0]}-{after[1]}"}, count=_PAGE)
        except (RedisError, OSError) as error:
            raise explain(error, self._url) from error
        found = []
        for entry_id, fields in answer[0][1] if answer else ():
            epoch, number = position(entry_id)
            value = decode(fields["value"])
            found.append(Chunk(run_id, epoch, fields["path"], number, fields["kind"], value, tenant))
        return found

    def _key(self, tenant: str, run_id: str) -> str:
        return f"{self._prefix}:live:{quote(run_id, safe='')}:{quote(tenant, safe='')}"

    async def _write(self, batch: Sequence[Outgoing]) -> None:
        pipe = self._client.pipeline(transaction=False)
        keys = {}
        for each in batch:
            chunk = each.chunk
            key = keys[chunk.tenant, chunk.run_id] = self._key(chunk.tenant, chunk.run_id)
            fields = {"path": chunk.path, "kind": chunk.kind, "value": each.body}
            pipe.xadd(key, fields, id=chunk.id, maxlen=_EACH)  # type: ignore[arg-type]
        for key in keys.values():
            pipe.expire(key, _KEEP)
        try:
            answers = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise explain(error, self._url) from error
        for answer in answers:
            if isinstance(answer, ResponseError) and "equal or smaller" not in str(answer):
                raise explain(answer, self._url) from answer

    async def _watch_forever(self) -> None:
        """Waits in Redis for chunks of all runs that are followed here, with one connection."""
        backoff, woken_at = Backoff(), "0-0"
        while True:
            try:
                if not self._reads.is_set():
                    await self._client.delete(self._wake_key)
                    woken_at = "0-0"
                    self._reads.set()
                    self._followers.wake_all()
                places = self._places()
                at = {key: f"{epoch}-{number}" for key, (epoch, number, _) in places.items()}
                self._blocking.set()
                answer: Any = await self._client.xread({self._wake_key: woken_at, **at}, count=1, block=self._block)  # type: ignore[dict-item]
                backoff.reset()
            except Exception as error:  # whatever it is, watching goes on
                _log.log(
                    logging.WARNING if self._reads.is_set() else logging.DEBUG,
                    "live chunks: %s",
                    explain(error, self._url),
                )
                self._reads.clear()
                await asyncio.sleep(backoff.pause())
                continue
            finally:
                self._blocking.clear()
            for key, entries in answer or ():
                if key == self._wake_key:
                    woken_at = entries[0][0]
                else:
                    self._followers.wake((places[key][2],))
            if answer:
                await asyncio.sleep(_SETTLE)

    def _places(self) -> dict[str, tuple[int, int, str]]:
        """Where those stand who wait, by key; of several on one run the one who is furthest behind."""
        self._followers.waiting.clear()
        places: dict[str, tuple[int, int, str]] = {}
        for follower in self._followers.idle():
            key, place = self._key(follower.tenant, follower.run_id), (*follower.at, follower.run_id)
            places[key] = min(place, places.get(key, place))
        return places

    async def _kick_forever(self) -> None:
        """Interrupts the waiting in Redis when somebody waits for a run that is not among those it waits for."""
        backoff = Backoff()
        while True:
            await self._followers.waiting.wait()
            await self._blocking.wait()
            if not self._followers.waiting.is_set():
                continue
            self._followers.waiting.clear()
            try:
                pipe = self._client.pipeline(transaction=False)
                pipe.xadd(self._wake_key, {"w": ""}, maxlen=1, approximate=False)
                pipe.expire(self._wake_key, _KEEP)
                await pipe.execute()
                backoff.reset()
            except Exception as error:  # the next look sees them, a second later at the most
                _log.debug("live chunks: %s", explain(error, self._url))
                await asyncio.sleep(backoff.pause())
