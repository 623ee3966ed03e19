"""People and their log-ins on PostgreSQL."""

from callboard.connections.postgres import Database
from callboard.domain.errors import Conflict
from callboard.store.credentials import login_from, login_row, person_from, person_row
from callboard.store.names import may_be_there
from callboard.store.people import Login, Person
from callboard.store.postgres.sql import statements

_SQL = statements("people")
_BATCH = 1_000  # rows that one transaction removes
_NOBODY = ""  # who logs in says nothing of a tenant: functions of the database find the one row


class PostgresPeople:
    """People. See callboard.store.people.People for what each method promises; a door forgets nobody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, person: Person) -> None:
        row = person_row(person)
        async with self._database.transaction(person.tenant) as db:
            told = await db.execute(_SQL["put"], *row)
            if told == "INSERT 0 0":
                told = await db.execute(_SQL["change"], *row)
        if told == "UPDATE 0":
            raise Conflict(f"the log-in {person.login!r} is taken", remedy="choose another")

    async def find(self, login: str) -> Person | None:
        if not may_be_there(login):
            return None
        async with self._database.reading(_NOBODY) as db:
            row = await db.fetchrow(_SQL["find"], login)
        return None if row is None else person_from(row)

    async def list(self, tenant: str) -> list[Person]:
        async with self._database.reading(tenant) as db:
            return [person_from(row) for row in await db.fetch(_SQL["list"], tenant)]

    async def enter(self, login: Login) -> None:
        async with self._database.transaction(login.tenant) as db:
            await db.execute(_SQL["enter"], *login_row(login))

    async def entered(self, mac: bytes) -> Login | None:
        async with self._database.reading(_NOBODY) as db:
            row = await db.fetchrow(_SQL["entered"], mac)
        return None if row is None else login_from(row)

    async def leave(self, tenant: str, mac: bytes) -> None:
        async with self._database.transaction(tenant) as db:
            await db.execute(_SQL["leave"], tenant, mac)

    async def leave_all(self, tenant: str, kind: str, subject: str) -> int:
        async with self._database.transaction(tenant) as db:
            told = await db.execute(_SQL["leave_all"], tenant, kind, subject)
        return _count(told)

    async def forget(self, before: float) -> int:
        gone = 0
        while True:
            async with self._database.transaction(_NOBODY) as db:
                some = _count(await db.execute(_SQL["forget"], before, _BATCH))
            gone += some
            if some < _BATCH:
                return gone


def _count(told: str) -> int:
    """How many rows a statement says that it changed."""
    return int(told.rpartition(" ")[2])
