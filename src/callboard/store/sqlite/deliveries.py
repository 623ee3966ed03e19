"""Messages to the outside on SQLite."""

import asyncio
from collections.abc import Iterable

import apsw

from callboard.store.deliveries import Delivery, DeliveryStatus, Due, Signing, asked_for
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

    async def take(self, now: float, lease: float, limit: int) -> list[Due]:
        """Takes what is to be tried now."""

        def work(db: apsw.Connection) -> list[Due]:
            db.execute(_SQL["overtaken"], (now,))
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

    async def signing(self, tenant: str) -> Signing:
        """Which secret signs."""
        row = await self._reader.call(lambda db: one(db, _SQL["signing"], (tenant,)))
        return Signing() if row is None else Signing(*row)

    def rotate(self, tenant: str, before_until: float) -> asyncio.Future[Signing]:
        """The next secret signs."""

        def work(db: apsw.Connection) -> Signing:
            return Signing(*every(db, _SQL["rotate"], (tenant, before_until))[0])

        return self._writer.call(work)


def tell(db: apsw.Connection, deliveries: Iterable[Delivery]) -> None:
    """Keeps what is to be told, in a transaction of somebody else's."""
    db.executemany(_SQL["add"], [delivery_row(each) for each in deliveries])


def tell_again(db: apsw.Connection, tenant: str, run_id: str, at: float) -> None:
    """Who was to be told of a run's end is to be told of the next one."""
    told = every(db, _SQL["told"], (tenant, run_id))
    tell(db, [asked_for(tenant, run_id, url, at, ending + 1) for url, ending in told])
