"""What runs cost on SQLite."""

import json
from collections.abc import Iterable

import apsw

from callboard.domain.bill import Bill
from callboard.store.claims import Claim
from callboard.store.costs import Cost, Spending
from callboard.store.rows import billed_from, cost_from, day_of
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, statements

_SQL = statements("costs")


class SqliteCosts:
    """Sums over runs."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def runs(self, tenant: str, since: float, now: float) -> list[Cost]:
        """By what runs are."""
        return await self._reader.call(lambda db: _runs(db, tenant, since, now))

    async def spending(self, tenant: str, since: float, now: float) -> Spending:
        """Also by agent and model."""

        def work(db: apsw.Connection) -> Spending:
            filed = every(db, _SQL["bills"], (tenant, since))
            going = every(db, _SQL["open_bills"], (tenant, since, day_of(now)))
            return Spending(_runs(db, tenant, since, now), [billed_from(row) for row in (*filed, *going)])

        return await self._reader.call(work)

    async def tenants(self, limit: int) -> list[str]:
        """Who has runs."""
        return [name for (name,) in await self._reader.call(lambda db: every(db, _SQL["tenants"], (limit,)))]


def _runs(db: apsw.Connection, tenant: str, since: float, now: float) -> list[Cost]:
    ended = every(db, _SQL["runs"], (tenant, since))
    going = every(db, _SQL["open_runs"], (tenant, day_of(now)))
    return [cost_from(row) for row in (*ended, *going)]


def write_bills(db: apsw.Connection, claim: Claim, bills: Iterable[Bill]) -> None:
    """Adds to what a run's agents spent at models."""
    for bill in bills:
        usage = bill.usage
        db.execute(
            _SQL["bill"],
            (claim.number, bill.agent, bill.model, claim.tenant, bill.calls, usage.cost, usage.input_tokens,
             usage.output_tokens, usage.cached_tokens, bill.by_provider, bill.by_answers),
        )  # fmt: skip


def file_costs(db: apsw.Connection, numbers: Iterable[int]) -> None:
    """Puts what runs cost that have ended where it is summed."""
    db.executemany(_SQL["file"], every(db, _SQL["billed"], (json.dumps(list(numbers)),)))


def unfile_costs(db: apsw.Connection, number: int) -> None:
    """A run that had ended goes on."""
    db.execute(_SQL["unfile"], (number,))


def purge_costs(db: apsw.Connection, number: int) -> None:
    """Removes what is kept of a run's costs."""
    db.execute(_SQL["purge"], (number,))
