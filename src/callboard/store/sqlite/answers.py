"""Answers of models on SQLite."""

from callboard.store.answers import Answer, check_size
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("answers")
_BATCH = 1_000  # rows that one transaction removes


class SqliteAnswers:
    """Answers of models. See callboard.store.answers.Answers for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def get(self, tenant: str, key: bytes, since: float) -> Answer | None:
        """The answer under a key."""
        row = await self._reader.call(lambda db: one(db, _SQL["get"], (tenant, key, since)))
        return None if row is None else Answer(*row)

    async def put(self, tenant: str, key: bytes, body: bytes, at: float) -> None:
        """Keeps an answer."""
        check_size(body)
        await self._writer.call(lambda db: every(db, _SQL["put"], (tenant, key, body, at)))

    async def forget(self, tenant: str | None, before: float) -> int:
        """Removes old answers."""
        gone = 0
        if await self._reader.call(lambda db: one(db, _SQL["old"], (tenant, before))) is None:
            return 0  # a look disturbs no writer
        while True:
            some = len(await self._writer.call(lambda db: every(db, _SQL["forget"], (tenant, before, _BATCH))))
            gone += some
            if some < _BATCH:
                return gone
