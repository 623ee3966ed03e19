"""Accounts and limits on PostgreSQL."""

from collections.abc import Sequence

from callboard.connections.postgres import Database
from callboard.domain.budget import Balance
from callboard.store.budgets import Limit
from callboard.store.journal import Settlement
from callboard.store.postgres.accounts import take, write
from callboard.store.postgres.sql import statements
from callboard.store.rows import balance_from, limit_from, limit_row

_SQL = statements("budgets")
_EVERYBODY = ""  # limits are read for all tenants at once, by workers
_AT_ONCE = 1_000  # runs whose holds one sweep charges at most


class PostgresBudgets:
    """Accounts and limits. See callboard.store.budgets.Budgets for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def balances(self, tenant: str, accounts: Sequence[str]) -> dict[str, Balance]:
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["balances"], tenant, list(accounts))
        found = {name: balance_from(row) for name, *row in rows}
        return {name: found.get(name, Balance()) for name in accounts}

    async def accounts(self, tenant: str, *, prefix: str = "", limit: int = 100, after: str = "") -> dict[str, Balance]:
        async with self._database.reading(tenant) as db:
            rows = await db.fetch(_SQL["page"], tenant, prefix, after, limit)
        return {name: balance_from(row) for name, *row in rows}

    async def put(self, limit: Limit) -> None:
        async with self._database.transaction(limit.tenant) as db:
            await db.execute(_SQL["put_limit"], *limit_row(limit))

    async def remove(self, tenant: str, scope: str, name: str, period: str) -> bool:
        async with self._database.transaction(tenant) as db:
            return await db.fetchval(_SQL["remove_limit"], tenant, scope, name, period) is not None

    async def limits(self) -> list[Limit]:
        async with self._database.reading(_EVERYBODY) as db:
            return [limit_from(row) for row in await db.fetch(_SQL["limits"])]

    async def sweep(self) -> int:
        async with self._database.acquire() as db:
            stale = [run for (run,) in await db.fetch(_SQL["stale"], _AT_ONCE)]
        if not stale:
            return 0
        async with self._database.transaction() as db:
            # Runs first, then what they hold, then accounts: as writers do.
            on = {run for run, going in await db.fetch(_SQL["still"], stale) if going}
            held = await db.fetch(_SQL["held_by"], [run for run in stale if run not in on])
            accounts = await take(db, held, ())
            places = {(run, path): tenant for run, path, tenant, *_ in held}
            for (run, path), tenant in places.items():
                accounts.settle(tenant, run, Settlement(path, None))
            await write(db, accounts)
        return len(places)
