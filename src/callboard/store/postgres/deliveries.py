"""Messages to the outside on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from callboard.connections.postgres import Database
from callboard.store.deliveries import Delivery, DeliveryStatus, Due, Signing, asked_for
from callboard.store.postgres.group import columns
from callboard.store.postgres.sql import statements
from callboard.store.rows import delivery_from, delivery_row, due_from

_SQL = statements("deliveries")


class PostgresDeliveries:
    """Deliveries. See callboard.store.deliveries.Deliveries for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, now: float, lease: float, limit: int) -> list[Due]:
        async with self._database.acquire() as db:
            if await db.fetchval(_SQL["any"], now) is None:
                return []
            await db.execute(_SQL["overtaken"], now)
            rows = await db.fetch(_SQL["take"], now, now + lease, limit)
        return [due_from(row) for row in rows]

    async def settle(self, tenant: str, delivery_id: str, status: DeliveryStatus, due: float, said: str) -> None:
        async with self._database.transaction(tenant) as db:
            await db.execute(_SQL["settle"], tenant, delivery_id, status, due, said)

    async def find(
        self, tenant: str, *, run_id: str | None = None, status: DeliveryStatus | None = None, limit: int = 100
    ) -> list[Delivery]:
        statement, of_run = ("find", ()) if run_id is None else ("find_of_run", (run_id,))
        async with self._database.reading(tenant) as db:
            return [delivery_from(row) for row in await db.fetch(_SQL[statement], tenant, status, limit, *of_run)]

    async def signing(self, tenant: str) -> Signing:
        async with self._database.reading(tenant) as db:
            row = await db.fetchrow(_SQL["signing"], tenant)
        return Signing() if row is None else Signing(*row)

    async def rotate(self, tenant: str, before_until: float) -> Signing:
        async with self._database.transaction(tenant) as db:
            return Signing(*await db.fetchrow(_SQL["rotate"], tenant, before_until))


async def tell(db: Any, deliveries: Sequence[Delivery]) -> None:
    """Keeps what is to be told, in a transaction of somebody else's; always in one order, since two may tell of one."""
    if deliveries:
        rows = sorted(map(delivery_row, deliveries), key=lambda row: (row[2], row[3]))
        await db.execute(_SQL["add"], *columns(rows))


async def tell_again(db: Any, tenant: str, run_id: str, at: float) -> None:
    """Who was to be told of a run's end is to be told of the next one."""
    told = await db.fetch(_SQL["told"], tenant, run_id)
    await tell(db, [asked_for(tenant, run_id, url, at, ending + 1) for url, ending in told])
