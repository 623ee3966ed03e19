"""The schema: which parts a database has, and bringing it up to date under a lock.

Each migration has a part `before` (it only adds, and is applied before new code is deployed) and may have a part
`after` (it cleans up, and is applied once no old code runs). So old and new code work side by side on one database.
"""

import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import asyncpg
import msgspec

from callboard.connections.postgres import DRIVER, Database, explain
from callboard.domain.errors import StoreCorrupt, StoreError, StoreNewer, StoreUnavailable
from callboard.store.postgres.sql import statements

BEFORE, AFTER = "before", "after"
PHASES = (BEFORE, AFTER)
OLDEST = 15  # the first version of PostgreSQL that has all that the statements need
_RECORD = "callboard_schema"
_TABLES = ("runs", "events", "inbox", "approvals", "blobs", "workers", "lanes", "controls", "schedules")
_LOCK = 0x43424F41  # "CBOA": one process at a time changes a database's schema
_PATIENCE = 600.0  # seconds that one part may take
_NAME = re.compile(r"(\d{4})_(\w+)\.(before|after)\.sql")
_SQL = statements("schema")

Part = tuple[int, str]  # a migration's number and the phase


class Migration(msgspec.Struct, frozen=True):
    """One part of a migration: its number, its name, its phase, and its script."""

    number: int
    name: str
    phase: str
    script: str

    @property
    def part(self) -> Part:
        """What the database remembers it by."""
        return self.number, self.phase

    def __str__(self) -> str:
        return f"{self.number:04} {self.name} ({self.phase})"


@cache
def known() -> tuple[Migration, ...]:
    """The migrations that this code knows, in order; of one number, `before` comes first."""
    found = []
    for file in (files(__package__) / "migrations").iterdir():
        if match := _NAME.fullmatch(file.name):
            found.append(Migration(int(match[1]), match[2], match[3], file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda m: (m.number, m.phase == AFTER)))


async def prepare(database: Database, migrations: Sequence[Migration]) -> None:
    """Makes sure that this code can work on the database; applies what is missing for it, if it may.

    An empty database gets everything. Raises StoreCorrupt for another program's, StoreNewer for one that later
    code has cleaned up, StoreError when the user may not change the schema.
    """
    async with _connected(database) as db, db.transaction():
        applied = await _look(db, database.name, migrations)
    if applied:
        if {m.part for m in migrations if m.phase == BEFORE} <= applied.keys():
            return
        await migrate(database, (BEFORE,), migrations)
    else:
        await migrate(database, PHASES, migrations)


async def migrate(
    database: Database, phases: Collection[str] = PHASES, migrations: Sequence[Migration] | None = None
) -> list[Migration]:
    """Applies the parts of these phases that the database does not have, and returns them, in order.

    Each is a transaction of its own; the first ones, into an empty database, are one together. Any number of
    processes may do this at once. Raises StoreError, and then says what was not applied.
    """
    todo = [m for m in (known() if migrations is None else migrations) if m.phase in phases]
    done: list[Migration] = []
    async with _connected(database) as db:
        while True:
            step = await _step(db, database, todo, known() if migrations is None else migrations)
            if not step:
                return done
            done += step


async def status(database: Database, migrations: Sequence[Migration] | None = None) -> dict[Part, float | None]:
    """Each part that the database has or this code knows, in order, with when it was applied (epoch seconds)."""
    async with _connected(database) as db, db.transaction():
        known_here = known() if migrations is None else migrations
        found: dict[Part, float | None] = {m.part: None for m in known_here}
        found.update(await _look(db, database.name, known_here))
    return dict(sorted(found.items(), key=lambda item: (item[0][0], item[0][1] == AFTER)))


def require_version(name: str, version: int) -> None:
    """Refuses a server of a major version that is too old. Raises StoreError."""
    if version < OLDEST:
        raise StoreError(
            f"{name} is PostgreSQL {version}",
            why=f"Callboard needs PostgreSQL {OLDEST} or later",
            remedy="upgrade the server, or name another",
        )


@asynccontextmanager
async def _connected(database: Database) -> AsyncIterator[Any]:
    """A connection as the user who logged in, also for a door: a schema belongs to no tenant."""
    try:
        db = await database.connect()
        try:
            require_version(database.name, db.get_server_version().major)
            yield db
        finally:
            await db.close(timeout=5.0)
    except DRIVER as error:
        raise explain(error, database.url) from error


async def _look(db: Any, name: str, migrations: Sequence[Migration]) -> dict[Part, float]:
    """The parts that were applied. Raises when the tables are not ours, or later than this code."""
    tables = {table for (table,) in await db.fetch(_SQL["tables"], [_RECORD, *_TABLES])}
    applied: dict[Part, float] = {}
    if _RECORD in tables:
        try:
            applied = {(number, phase): at for number, phase, at in await db.fetch(_SQL["applied"])}
        except asyncpg.InsufficientPrivilegeError as error:
            raise StoreError(
                f"this user may not work in {name}",
                why="it is a member of neither callboard_worker nor callboard_door",
                remedy="GRANT callboard_worker TO it, or callboard_door for a door",
            ) from error
    if not applied and tables - {_RECORD}:
        raise StoreCorrupt(
            f"{name} is another program's database",
            why="it has tables of the names that Callboard uses, and no record of their schema",
            remedy="name another database or schema; it was not touched",
        )
    later = {part for part in applied.keys() - {m.part for m in migrations} if part[1] == AFTER}
    if later:
        latest = max(m.number for m in migrations)
        raise StoreNewer(
            f"{name} has schema {max(later)[0]}; this Callboard knows schemas up to {latest}",
            why="a later version has taken away what older ones need",
            remedy="install that version, or name another database; it was not touched",
        )
    return applied


async def _step(
    db: Any, database: Database, todo: Sequence[Migration], migrations: Sequence[Migration]
) -> list[Migration]:
    """Applies the next part, or all of them in an empty database; returns nothing when there is none left."""
    part: Migration | None = None
    try:
        async with db.transaction():
            await db.fetchval(_SQL["lock"], _LOCK, timeout=_PATIENCE)
            applied = await _look(db, database.name, migrations)  # anew: another process may have been faster
            missing = [m for m in todo if m.part not in applied]
            if not applied and missing:
                await db.execute(_SQL["create"])
            elif missing:
                _check_order(missing[0], applied)
                missing = missing[:1]
                # Work goes on while a part waits for its lock, and everybody waits behind it.
                await db.execute(_SQL["patience"])
            for part in missing:
                await db.execute(part.script, timeout=_PATIENCE)
                await db.execute(_SQL["record"], part.number, part.phase)
            return missing
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreError(
            f"the schema of {database.name} is not up to date, and this user may not change it",
            why=f"{error} (in {part})" if part else str(error),
            remedy=f"callboard db migrate --store {database.name}, as the owner of the database, who may create roles",
        ) from error
    except asyncpg.LockNotAvailableError as error:
        raise StoreUnavailable(
            f"{part} was not applied to {database.name}",
            why="a table that it changes is in use by a long transaction",
            remedy="end that transaction and repeat",
        ) from error
    except asyncpg.PostgresError as error:
        if part is None:
            raise
        raise StoreError(f"{part} was not applied to {database.name}", why=str(error)) from error


def _check_order(next_one: Migration, applied: Collection[Part]) -> None:
    if next_one.phase == AFTER and (next_one.number, BEFORE) not in applied:
        raise StoreError(
            f"{next_one} cannot be applied yet",
            why="its part `before` comes first",
            remedy="callboard db migrate --phase before, then deploy, then --phase after",
        )
