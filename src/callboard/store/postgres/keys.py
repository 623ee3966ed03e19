"""Keys of programs on PostgreSQL."""

from callboard.connections.postgres import Database
from callboard.domain.errors import Conflict
from callboard.store.credentials import key_from, key_row, no_key
from callboard.store.keys import Key
from callboard.store.names import may_be_there
from callboard.store.postgres.sql import statements

_SQL = statements("keys")
_NOBODY = ""  # who presents a key says nothing of a tenant: functions of the database find the one row


class PostgresKeys:
    """Keys. See callboard.store.keys.Keys for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: Key) -> None:
        async with self._database.transaction(key.tenant) as db:
            told = await db.execute(_SQL["add"], *key_row(key))
        if told != "INSERT 0 1":
            raise Conflict(f"there is a key {key.id!r} already", remedy="make one with another id")

    async def find(self, key_id: str) -> Key | None:
        if not may_be_there(key_id):
            return None
        async with self._database.reading(_NOBODY) as db:
            row = await db.fetchrow(_SQL["find"], key_id)
        return None if row is None else key_from(row)

    async def list(self, tenant: str) -> list[Key]:
        async with self._database.reading(tenant) as db:
            return [key_from(row) for row in await db.fetch(_SQL["list"], tenant)]

    async def expire(self, tenant: str, key_id: str, at: float) -> Key:
        return await self._changed("expire", tenant, key_id, at)

    async def revoke(self, tenant: str, key_id: str, at: float) -> Key:
        return await self._changed("revoke", tenant, key_id, at)

    async def used(self, tenant: str, key_id: str, at: float) -> None:
        async with self._database.reading(tenant) as db:
            if await db.fetchval(_SQL["stale"], tenant, key_id, at) is None:
                return
        async with self._database.transaction(tenant) as db:
            await db.execute(_SQL["used"], tenant, key_id, at)

    async def any(self) -> bool:
        async with self._database.reading(_NOBODY) as db:
            found: bool = await db.fetchval(_SQL["any"])
        return found

    async def _changed(self, name: str, tenant: str, key_id: str, at: float) -> Key:
        async with self._database.transaction(tenant) as db:
            row = await db.fetchrow(_SQL[name], tenant, key_id, at)
        if row is None:
            raise no_key(key_id)
        return key_from(row)
