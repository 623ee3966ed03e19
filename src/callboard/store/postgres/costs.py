"""What runs cost on PostgreSQL. What agents spend is written by groups (see group.py), and filed by what ends runs."""

from typing import Any

from callboard.connections.postgres import Database
from callboard.store.costs import Cost, Spending
from callboard.store.postgres.sql import statements
from callboard.store.rows import billed_from, cost_from, day_of

_SQL = statements("costs")


class PostgresCosts:
    """Sums over runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def runs(self, tenant: str, since: float, now: float) -> list[Cost]:
        """By what runs are."""
        async with self._database.reading(tenant) as db:
            return await _runs(db, tenant, since, now)

    async def spending(self, tenant: str, since: float, now: float) -> Spending:
        """Also by agent and model."""
        async with self._database.snapshot(tenant) as db:
            filed = await db.fetch(_SQL["bills"], tenant, since)
            going = await db.fetch(_SQL["open_bills"], tenant, since, day_of(now))
            return Spending(await _runs(db, tenant, since, now), [billed_from(row) for row in (*filed, *going)])

    async def tenants(self, limit: int) -> list[str]:
        """Who has runs."""
        async with self._database.taken() as db:
            return [name for (name,) in await db.fetch(_SQL["tenants"], limit)]


async def _runs(db: Any, tenant: str, since: float, now: float) -> list[Cost]:
    ended = await db.fetch(_SQL["runs"], tenant, since)
    going = await db.fetch(_SQL["open_runs"], tenant, day_of(now))
    return [cost_from(row) for row in (*ended, *going)]


async def unfile_costs(db: Any, number: int) -> None:
    """A run that had ended goes on; its row is locked."""
    await db.execute(_SQL["unfile"], number)


async def purge_costs(db: Any, numbers: list[int]) -> None:
    """Removes what is kept of runs' costs."""
    await db.execute(_SQL["purge"], numbers)
