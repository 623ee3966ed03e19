"""Accounts and limits on SQLite."""

from collections.abc import Sequence

import apsw

from callboard.domain.budget import Balance
from callboard.store.budgets import Limit
from callboard.store.journal import Settlement
from callboard.store.rows import balance_from, limit_from, limit_row
from callboard.store.sqlite.accounts import read_balances, settle, stale
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("budgets")


class SqliteBudgets:
    """Accounts and limits. See callboard.store.budgets.Budgets for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def balances(self, tenant: str, accounts: Sequence[str]) -> dict[str, Balance]:
        """What accounts hold."""
        found = dict(await self._reader.call(lambda db: list(read_balances(db, tenant, accounts))))
        return {name: found.get(name, Balance()) for name in accounts}

    async def accounts(self, tenant: str, *, prefix: str = "", limit: int = 100, after: str = "") -> dict[str, Balance]:
        """A page of accounts."""
        rows = await self._reader.call(lambda db: every(db, _SQL["page"], (tenant, prefix, after, limit)))
        return {name: balance_from(row) for name, *row in rows}

    async def put(self, limit: Limit) -> None:
        """Sets a limit."""
        await self._writer.call(lambda db: every(db, _SQL["put_limit"], limit_row(limit)))

    async def remove(self, tenant: str, scope: str, name: str, period: str) -> bool:
        """Lifts it."""
        place = (tenant, scope, name, period)
        return bool(await self._writer.call(lambda db: every(db, _SQL["remove_limit"], place)))

    async def limits(self) -> list[Limit]:
        """All of them."""
        return [limit_from(row) for row in await self._reader.call(lambda db: every(db, _SQL["limits"]))]

    async def sweep(self) -> int:
        """Charges in full what nobody will settle."""

        def work(db: apsw.Connection) -> int:
            found = stale(db)
            for number, path, tenant in found:
                settle(db, tenant, number, Settlement(path, None))
            return len(found)

        if not await self._reader.call(stale):  # writers wait for each other; a look disturbs nobody
            return 0
        done: int = await self._writer.call(work)
        return done
