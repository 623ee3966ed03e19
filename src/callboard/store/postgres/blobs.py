"""Large payloads on PostgreSQL."""

from callboard.connections.postgres import Database
from callboard.domain.errors import NotFound
from callboard.store.postgres.sql import statements

_SQL = statements("blobs")


class PostgresBlobs:
    """Large payloads. See callboard.store.blobs.Blobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, hash_hex: str) -> bytes:
        try:
            key = bytes.fromhex(hash_hex)
        except ValueError:
            key = b""
        async with self._database.reading(tenant) as db:
            data: bytes | None = await db.fetchval(_SQL["get"], tenant, key)
        if data is None:
            raise NotFound(f"no blob {hash_hex!r}")
        return data
