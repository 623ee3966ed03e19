"""Pauses and limits on SQLite."""

import apsw

from callboard.store.controls import Control, Scope
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("controls")


class SqliteControls:
    """Pauses and limits. See callboard.store.controls.Controls for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def put(self, control: Control) -> None:
        """Sets a control."""
        c = control
        row = (c.scope, c.name, c.paused, c.running, c.by, c.at)

        def work(db: apsw.Connection) -> None:
            db.execute(_SQL["put"], row)

        await self._writer.call(work)

    async def remove(self, scope: Scope, name: str) -> bool:
        """Lifts it."""
        return bool(await self._writer.call(lambda db: every(db, _SQL["remove"], (scope, name))))

    async def all(self) -> list[Control]:
        """All of them."""
        rows = await self._reader.call(lambda db: every(db, _SQL["all"]))
        return [
            Control(scope=Scope(scope), name=name, paused=bool(paused), running=running, by=by, at=at)
            for scope, name, paused, running, by, at in rows
        ]
