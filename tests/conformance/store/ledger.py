"""A table of the user's own beside Callboard's, as `transact` is meant for."""

from collections.abc import Callable
from typing import Any

import apsw
import asyncpg

from callboard.store.sqlite import SqliteStore


class SqliteLedger:
    """A table in the store's own file; in memory there is no other way in than the store's connection."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store._writer

    async def open(self) -> "SqliteLedger":
        await self._writer.call(lambda db: db.execute("CREATE TABLE ledger (note TEXT UNIQUE)").fetchall())
        return self

    def write(self, note: str, failure: Exception | None = None) -> Callable[[apsw.Connection], str]:
        """A function for `transact`: writes a note, raises if told to, returns the note."""

        def do(db: apsw.Connection) -> str:
            db.execute("INSERT INTO ledger VALUES (?)", (note,))
            if failure is not None:
                raise failure
            return note

        return do

    async def notes(self) -> list[str]:
        """All notes in their order."""
        rows = await self._writer.call(lambda db: db.execute("SELECT note FROM ledger ORDER BY note").fetchall())
        return [note for (note,) in rows]


class PostgresLedger:
    """A table in the store's own database, which workers may write."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self) -> "PostgresLedger":
        db = await asyncpg.connect(self._url)
        try:
            await db.execute("CREATE TABLE IF NOT EXISTS ledger (note text UNIQUE)")
            await db.execute("GRANT SELECT, INSERT ON ledger TO PUBLIC")
            await db.execute("TRUNCATE ledger")
        finally:
            await db.close()
        return self

    def write(self, note: str, failure: Exception | None = None) -> Callable[[Any], Any]:
        """A function for `transact`: writes a note, raises if told to, returns the note."""

        async def do(db: Any) -> str:
            await db.execute("INSERT INTO ledger VALUES ($1)", note)
            if failure is not None:
                raise failure
            return note

        return do

    async def notes(self) -> list[str]:
        """All notes in their order."""
        db = await asyncpg.connect(self._url)
        try:
            return [row["note"] for row in await db.fetch("SELECT note FROM ledger ORDER BY note")]
        finally:
            await db.close()
