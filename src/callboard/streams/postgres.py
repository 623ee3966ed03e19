"""Streams through PostgreSQL: chunks in an unlogged table, written together, read when the bell tells of them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from callboard.connections.backoff import Backoff
from callboard.connections.postgres import Database
from callboard.connections.statements import load
from callboard.connections.tasks import end
from callboard.domain.codec import decode
from callboard.domain.errors import StoreError
from callboard.streams.followers import Follower, Followers
from callboard.streams.outbox import Outbox, Outgoing
from callboard.streams.stream import Chunk, Position

_log = logging.getLogger("callboard.streams")
_SQL = load("callboard.streams", "chunks")
_PAGE = 500  # chunks read at a time
_EVERY = 0.025  # seconds for which chunks gather before they are written
_LOOK = 0.5  # seconds between looks for chunks that no bell told of
_KEEP = 3_600.0  # seconds that chunks are kept
_TRIM = 60.0  # seconds between trims
_TRIMMED = 5_000  # rows deleted at a time
_SIZE = 3  # connections
_PATIENCE = 2.0  # seconds that open waits for the server


class PostgresStream:
    """See callboard.streams.stream.Stream. The table is made by the store's migrations.

    Args:
        url: the database.
        door: it reads as a door, which sees one tenant at a time, and publishes nothing.
        announce: is told of which runs chunks were written, to wake readers in other processes: they call `heard`.
        keep: seconds that chunks are kept.
    """

    def __init__(
        self,
        url: str,
        *,
        door: bool = False,
        announce: Callable[[list[str]], None] | None = None,
        keep: float = _KEEP,
    ) -> None:
        self._database = Database(url, door=door, size=_SIZE)
        self._door = door
        self._announce = announce
        self._keep = keep
        self._outbox = Outbox(self._write, every=_EVERY)
        self._followers = Followers(self)
        self._opened = asyncio.Event()
        self._reads = True
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def healthy(self) -> bool:
        return self._opened.is_set() and self._reads and self._outbox.healthy

    def publish(self, chunk: Chunk) -> None:
        self._outbox.put(chunk)

    def follow(self, tenant: str, run_id: str, after: str | None = None) -> AsyncIterator[Chunk]:
        return self._followers.follow(tenant, run_id, after)

    def heard(self, run_ids: Iterable[str]) -> None:
        """There are new chunks of these runs. A hint: it may be lost or doubled."""
        self._followers.wake(run_ids)

    async def trim(self, older_than: float) -> int:
        """Deletes chunks that are older than so many seconds; returns how many. Raises StoreError."""
        deleted, part = 0, _TRIMMED
        while part == _TRIMMED:
            async with self._database.acquire() as db:
                part = int((await db.execute(_SQL["trim"], older_than, _TRIMMED)).split()[-1])
            deleted += part
        return deleted

    async def open(self) -> None:
        start = asyncio.get_running_loop().create_task
        self._tasks = [start(self._connect()), start(self._look_forever())]
        if not self._door:
            self._outbox.open()
            self._tasks.append(start(self._trim_forever()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._opened.wait(), _PATIENCE)

    async def close(self) -> None:
        await self._outbox.close()
        tasks, self._tasks = self._tasks, []
        await end(tasks)
        self._opened.clear()
        await self._database.close()

    async def newest(self, tenant: str, run_id: str) -> Position:
        """The last chunk of a run; (0, 0) if none is kept. Raises StoreError."""
        async with self._database.reading(tenant) as db:
            row = await db.fetchrow(_SQL["newest"], tenant, run_id)
        return (row[0], row[1]) if row is not None else (0, 0)

    async def read(self, tenant: str, run_id: str, after: Position) -> list[Chunk]:
        """The next page of a run. Raises StoreError."""
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["read"], tenant, run_id, *after, _PAGE)
        return [
            Chunk(run_id, epoch, path, number, kind, decode(value), tenant) for epoch, number, path, kind, value in rows
        ]

    async def _write(self, batch: Sequence[Outgoing]) -> None:
        chunks = [each.chunk for each in batch]
        async with self._database.acquire() as db:
            await db.execute(
                _SQL["publish"],
                [c.tenant for c in chunks],
                [c.run_id for c in chunks],
                [c.epoch for c in chunks],
                [c.number for c in chunks],
                [c.path for c in chunks],
                [c.kind for c in chunks],
                [each.body for each in batch],
            )
        run_ids = list(dict.fromkeys(c.run_id for c in chunks))
        self._followers.wake(run_ids)
        if self._announce is not None:
            self._announce(run_ids)

    async def _connect(self) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._database.open()
            except StoreError as error:
                _log.warning("live chunks wait for the database: %s", error)
                await asyncio.sleep(backoff.pause())
            else:
                self._opened.set()
                return

    async def _look_forever(self) -> None:
        while True:
            await self._followers.waiting.wait()
            await asyncio.sleep(_LOOK)
            idle = self._followers.idle()
            if not idle:
                self._followers.waiting.clear()
            groups: dict[str | None, list[Follower]] = {}
            for follower in idle:
                groups.setdefault(follower.tenant if self._door else None, []).append(follower)
            try:
                for tenant, followers in groups.items():
                    self._followers.wake(await self._news(tenant, followers))
                self._reads = True
            except StoreError as error:
                _log.log(logging.WARNING if self._reads else logging.DEBUG, "live chunks cannot be read: %s", error)
                self._reads = False

    async def _news(self, tenant: str | None, followers: list[Follower]) -> list[str]:
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(
                _SQL["news"],
                [f.tenant for f in followers],
                [f.run_id for f in followers],
                [f.at[0] for f in followers],
                [f.at[1] for f in followers],
            )
        return [row[0] for row in rows]

    async def _trim_forever(self) -> None:
        pauses = Backoff(first=_TRIM, most=_TRIM)  # not all workers at once
        while True:
            await asyncio.sleep(pauses.pause())
            try:
                await self.trim(self._keep)
            except StoreError as error:
                _log.warning("old chunks could not be deleted: %s", error)
