"""Messages to the outside on PostgreSQL."""

from callboard.connections.postgres import Database
from callboard.store.deliveries import Delivery, DeliveryStatus, Due
from callboard.store.postgres.sql import statements
from callboard.store.rows import delivery_from, delivery_row, due_from

_SQL = statements("deliveries")


class PostgresDeliveries:
    """Deliveries. See callboard.store.deliveries.Deliveries for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, delivery: Delivery) -> None:
        async with self._database.transaction(delivery.tenant) as db:
            await db.execute(_SQL["add"], *delivery_row(delivery))

    async def take(self, now: float, lease: float, limit: int) -> list[Due]:
        async with self._database.acquire() as db:
            if await db.fetchval(_SQL["any"], now) is None:
                return []
            await db.execute(_SQL["lost"], now, now - lease)
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
