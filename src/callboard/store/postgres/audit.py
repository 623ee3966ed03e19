"""The audit log on PostgreSQL."""

from callboard.connections.postgres import Database
from callboard.store.audit import Deed, Entry, columns, entry_from, kept, next_entry, reach
from callboard.store.names import may_be_there
from callboard.store.postgres.sql import statements

_SQL = statements("audit")
_EVERYBODY = ""


class PostgresAudit:
    """The chains of all tenants. See callboard.store.audit.Audit for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, tenant: str, deed: Deed) -> Entry:
        body = kept(deed)
        async with self._database.transaction(tenant) as db:
            await db.execute(_SQL["lock"], tenant)
            entry = next_entry(tenant, await db.fetchrow(_SQL["head"], tenant), body)
            await db.execute(_SQL["append"], tenant, entry.number, *columns(entry.deed), body, entry.seal)
        return entry

    async def find(
        self,
        tenant: str,
        *,
        actor: str | None = None,
        action: str | None = None,
        object: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        if not may_be_there(actor, action, object):
            return []
        name: str = "find"
        more: tuple[str | None, ...] = ()
        if object is not None:
            name, more = "find_about", (actor, object)
        elif actor is not None:
            name, more = "find_by", (actor,)
        given = (tenant, *reach(action), since, until, before, limit, *more)
        async with self._database.reading(tenant) as db:
            return [entry_from(tenant, row) for row in await db.fetch(_SQL[name], *given)]

    async def read(self, tenant: str, *, after: int = 0, limit: int = 1_000) -> list[tuple[Entry, bytes]]:
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["read"], tenant, after, limit)
        return [(entry_from(tenant, row), row[5]) for row in rows]

    async def tenants(self) -> list[str]:
        async with self._database.reading(_EVERYBODY) as db:
            return [tenant for (tenant,) in await db.fetch(_SQL["tenants"])]
