"""Pauses and limits on PostgreSQL."""

from callboard.connections.postgres import Database
from callboard.store.controls import Control, Scope
from callboard.store.postgres.sql import statements

_SQL = statements("controls")
_EVERYBODY = ""  # controls are no tenant's: a door reads them under any name, and may not write them


class PostgresControls:
    """Pauses and limits. See callboard.store.controls.Controls; those who may not set them get a StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, control: Control) -> None:
        async with self._database.transaction(_EVERYBODY) as db:
            await db.execute(
                _SQL["put"], control.scope, control.name, control.paused, control.running, control.by, control.at
            )

    async def remove(self, scope: Scope, name: str) -> bool:
        async with self._database.transaction(_EVERYBODY) as db:
            return await db.fetchval(_SQL["remove"], scope, name) is not None

    async def all(self) -> list[Control]:
        async with self._database.reading(_EVERYBODY) as db:
            rows = await db.fetch(_SQL["all"])
        return [
            Control(scope=Scope(scope), name=name, paused=paused, running=running, by=by, at=at)
            for scope, name, paused, running, by, at in rows
        ]
