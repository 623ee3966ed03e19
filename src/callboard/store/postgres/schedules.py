"""Schedules on PostgreSQL."""

from callboard.connections.postgres import Database
from callboard.domain.errors import NotFound
from callboard.store.postgres.sql import statements
from callboard.store.rows import schedule_from
from callboard.store.schedules import Schedule

_SQL = statements("schedules")


class PostgresSchedules:
    """Schedules. See callboard.store.schedules.Schedules for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, schedule: Schedule) -> None:
        s = schedule
        async with self._database.transaction(s.tenant) as db:
            await db.execute(
                _SQL["put"],
                *(s.tenant, s.name, s.flow, s.cron, s.zone, s.input, s.overlap, s.catch_up, s.paused),
                *(s.next_at, s.last_at, s.last_run),
            )

    async def remove(self, tenant: str, name: str) -> bool:
        async with self._database.transaction(tenant) as db:
            return await db.fetchval(_SQL["remove"], tenant, name) is not None

    async def find(self, tenant: str) -> list[Schedule]:
        async with self._database.reading(tenant) as db:
            return [schedule_from(row) for row in await db.fetch(_SQL["find"], tenant)]

    async def get(self, tenant: str, name: str) -> Schedule:
        async with self._database.reading(tenant) as db:
            row = await db.fetchrow(_SQL["get"], tenant, name)
        if row is None:
            raise NotFound(f"no schedule {name!r}", remedy="callboard schedules list shows the names")
        return schedule_from(row)

    async def due(self, at: float, limit: int) -> list[Schedule]:
        async with self._database.acquire() as db:
            return [schedule_from(row) for row in await db.fetch(_SQL["due"], at, limit)]

    async def advance(self, schedule: Schedule, next_at: float, last_run: str | None) -> bool:
        s = schedule
        async with self._database.transaction(s.tenant) as db:
            moved = await db.fetchval(_SQL["advance"], s.tenant, s.name, s.next_at, next_at, last_run)
        return moved is not None

    async def pause(self, tenant: str, name: str, paused: bool) -> bool:
        async with self._database.transaction(tenant) as db:
            return await db.fetchval(_SQL["pause"], tenant, name, paused) is not None
