"""Messages to the outside on SQLite."""

import asyncio

import apsw

from callboard.store.deliveries import Delivery, DeliveryStatus, Due
from callboard.store.rows import delivery_from, delivery_row, due_from
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("deliveries")


class SqliteDeliveries:
    """Deliveries. See callboard.store.deliveries.Deliveries for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    def add(self, delivery: Delivery) -> asyncio.Future[None]:
        """Keeps one."""

        def work(db: apsw.Connection) -> None:
            db.execute(_SQL["add"], delivery_row(delivery))

        return self._writer.call(work)

    async def take(self, now: float, lease: float, limit: int) -> list[Due]:
        """Takes what is to be tried now."""

        def work(db: apsw.Connection) -> list[Due]:
            db.execute(_SQL["lost"], (now, now - lease))
            return [due_from(row) for row in every(db, _SQL["take"], (now, now + lease, limit))]

        if await self._reader.call(lambda db: one(db, _SQL["any"], (now,))) is None:
            return []  # what is asked at each sweep takes no turn of the writers'
        taken: list[Due] = await self._writer.call(work)
        return taken

    def settle(
        self, tenant: str, delivery_id: str, status: DeliveryStatus, due: float, said: str
    ) -> asyncio.Future[None]:
        """Notes what came of a try."""

        def work(db: apsw.Connection) -> None:
            db.execute(_SQL["settle"], (tenant, delivery_id, status, due, said))

        return self._writer.call(work)

    async def find(
        self, tenant: str, *, run_id: str | None = None, status: DeliveryStatus | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries, newest first."""
        statement, of_run = ("find", ()) if run_id is None else ("find_of_run", (run_id,))
        values = (tenant, status, limit, *of_run)
        return [delivery_from(row) for row in await self._reader.call(lambda db: every(db, _SQL[statement], values))]
