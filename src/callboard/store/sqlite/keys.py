"""Keys of programs on SQLite."""

import apsw

from callboard.domain.errors import Conflict
from callboard.store.credentials import key_from, key_row, no_key
from callboard.store.keys import Key
from callboard.store.names import may_be_there
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("keys")


class SqliteKeys:
    """Keys. See callboard.store.keys.Keys for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def add(self, key: Key) -> None:
        """Keeps a new key."""
        if not await self._writer.call(lambda db: every(db, _SQL["add"], key_row(key))):
            raise Conflict(f"there is a key {key.id!r} already", remedy="make one with another id")

    async def find(self, key_id: str) -> Key | None:
        """The key that somebody presents."""
        if not may_be_there(key_id):
            return None
        row = await self._reader.call(lambda db: one(db, _SQL["find"], (key_id,)))
        return None if row is None else key_from(row)

    async def list(self, tenant: str) -> list[Key]:
        """A tenant's keys."""
        return [key_from(row) for row in await self._reader.call(lambda db: every(db, _SQL["list"], (tenant,)))]

    async def expire(self, tenant: str, key_id: str, at: float) -> Key:
        """Sets a key's end."""
        return await self._changed("expire", tenant, key_id, at)

    async def revoke(self, tenant: str, key_id: str, at: float) -> Key:
        """Ends a key."""
        return await self._changed("revoke", tenant, key_id, at)

    async def used(self, tenant: str, key_id: str, at: float) -> None:
        """Notes a use."""
        given = (tenant, key_id, at)
        if await self._reader.call(lambda db: one(db, _SQL["stale"], given)):  # a look disturbs no writer
            await self._writer.call(lambda db: every(db, _SQL["used"], given))

    async def any(self) -> bool:
        """Whether there is any key or person."""
        (found,) = await self._reader.call(lambda db: one(db, _SQL["any"]))
        return bool(found)

    async def _changed(self, name: str, tenant: str, key_id: str, at: float) -> Key:
        def work(db: apsw.Connection) -> Key:
            rows = every(db, _SQL[name], (tenant, key_id, at))
            if not rows:
                raise no_key(key_id)
            return key_from(rows[0])

        changed: Key = await self._writer.call(work)
        return changed
