"""Schedules on SQLite."""

from typing import Any

import apsw

from callboard.domain.errors import NotFound
from callboard.store.rows import schedule_from
from callboard.store.schedules import Schedule
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("schedules")


class SqliteSchedules:
    """Schedules. See callboard.store.schedules.Schedules for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def put(self, schedule: Schedule) -> None:
        """Creates or changes one."""
        s = schedule
        row = (
            *(s.tenant, s.name, s.flow, s.cron, s.zone, s.input, s.overlap, s.catch_up, s.paused),
            *(s.next_at, s.last_at, s.last_run),
        )

        def work(db: apsw.Connection) -> None:
            db.execute(_SQL["put"], row)

        await self._writer.call(work)

    async def remove(self, tenant: str, name: str) -> bool:
        """Removes one."""
        return await self._changed("remove", (tenant, name))

    async def find(self, tenant: str) -> list[Schedule]:
        """A tenant's schedules."""
        return [schedule_from(row) for row in await self._reader.call(lambda db: every(db, _SQL["find"], (tenant,)))]

    async def get(self, tenant: str, name: str) -> Schedule:
        """One schedule."""
        row = await self._reader.call(lambda db: one(db, _SQL["get"], (tenant, name)))
        if row is None:
            raise NotFound(f"no schedule {name!r}", remedy="callboard schedules list shows the names")
        return schedule_from(row)

    async def due(self, at: float, limit: int) -> list[Schedule]:
        """Schedules whose time has come."""
        return [schedule_from(row) for row in await self._reader.call(lambda db: every(db, _SQL["due"], (at, limit)))]

    async def advance(self, schedule: Schedule, next_at: float, last_run: str | None) -> bool:
        """Moves one on."""
        s = schedule
        return await self._changed("advance", (s.tenant, s.name, s.next_at, next_at, last_run))

    async def pause(self, tenant: str, name: str, paused: bool) -> bool:
        """Pauses or resumes one."""
        return await self._changed("pause", (tenant, name, paused))

    async def _changed(self, name: str, values: tuple[Any, ...]) -> bool:
        return bool(await self._writer.call(lambda db: every(db, _SQL[name], values)))
