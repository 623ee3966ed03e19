"""The audit log on SQLite."""

import apsw

from callboard.store.audit import Deed, Entry, columns, entry_from, kept, next_entry, reach
from callboard.store.names import may_be_there
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("audit")


class SqliteAudit:
    """The chains of all tenants. See callboard.store.audit.Audit for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def append(self, tenant: str, deed: Deed) -> Entry:
        """Appends in one write transaction, of which the file has one at a time."""
        body = kept(deed)

        def work(db: apsw.Connection) -> Entry:
            entry = next_entry(tenant, one(db, _SQL["head"], (tenant,)), body)
            db.execute(_SQL["append"], (tenant, entry.number, *columns(entry.deed), body, entry.seal))
            return entry

        entry: Entry = await self._writer.call(work)
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
        """Entries, newest first."""
        if not may_be_there(actor, action, object):
            return []
        name: str = "find"
        more: tuple[str | None, ...] = ()
        if object is not None:
            name, more = "find_about", (actor, object)
        elif actor is not None:
            name, more = "find_by", (actor,)
        given = (tenant, *reach(action), since, until, before, limit, *more)
        return [entry_from(tenant, row) for row in await self._reader.call(lambda db: every(db, _SQL[name], given))]

    async def read(self, tenant: str, *, after: int = 0, limit: int = 1_000) -> list[tuple[Entry, bytes]]:
        """Entries from the oldest on."""
        rows = await self._reader.call(lambda db: every(db, _SQL["read"], (tenant, after, limit)))
        return [(entry_from(tenant, row), row[5]) for row in rows]

    async def tenants(self) -> list[str]:
        """Tenants that have a chain."""
        return [tenant for (tenant,) in await self._reader.call(lambda db: every(db, _SQL["tenants"]))]
