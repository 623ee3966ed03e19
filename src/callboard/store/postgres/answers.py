"""Answers of models on PostgreSQL."""

from callboard.connections.postgres import Database
from callboard.store.answers import Answer, check_size
from callboard.store.postgres.sql import statements

_SQL = statements("answers")
_BATCH = 1_000  # rows that one transaction removes


class PostgresAnswers:
    """Answers of models. See callboard.store.answers.Answers for what each method promises; doors see none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, key: bytes, since: float) -> Answer | None:
        async with self._database.reading(tenant) as db:
            row = await db.fetchrow(_SQL["get"], tenant, key, since)
        return None if row is None else Answer(*row)

    async def put(self, tenant: str, key: bytes, body: bytes, at: float) -> None:
        check_size(body)
        async with self._database.transaction(tenant) as db:
            await db.execute(_SQL["put"], tenant, key, body, at)

    async def forget(self, tenant: str | None, before: float) -> int:
        gone = 0
        while True:
            async with self._database.transaction(tenant or "") as db:
                told: str = await db.execute(_SQL["forget"], tenant, before, _BATCH)
            some = int(told.rpartition(" ")[2])
            gone += some
            if some < _BATCH:
                return gone
