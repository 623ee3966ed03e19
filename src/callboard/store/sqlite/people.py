"""People and their log-ins on SQLite."""

from callboard.domain.errors import Conflict
from callboard.store.credentials import login_from, login_row, person_from, person_row
from callboard.store.names import may_be_there
from callboard.store.people import Login, Person
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.sql import every, one, statements
from callboard.store.sqlite.writer import Writer

_SQL = statements("people")
_BATCH = 1_000  # rows that one transaction removes


class SqlitePeople:
    """People. See callboard.store.people.People for what each method promises."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def put(self, person: Person) -> None:
        """Keeps somebody."""
        if not await self._writer.call(lambda db: every(db, _SQL["put"], person_row(person))):
            raise Conflict(f"the log-in {person.login!r} is taken", remedy="choose another")

    async def find(self, login: str) -> Person | None:
        """Who logs in."""
        if not may_be_there(login):
            return None
        row = await self._reader.call(lambda db: one(db, _SQL["find"], (login,)))
        return None if row is None else person_from(row)

    async def list(self, tenant: str) -> list[Person]:
        """Everybody of a tenant."""
        return [person_from(row) for row in await self._reader.call(lambda db: every(db, _SQL["list"], (tenant,)))]

    async def enter(self, login: Login) -> None:
        """Somebody has logged in."""
        await self._writer.call(lambda db: every(db, _SQL["enter"], login_row(login)))

    async def entered(self, mac: bytes) -> Login | None:
        """Who logged in."""
        row = await self._reader.call(lambda db: one(db, _SQL["entered"], (mac,)))
        return None if row is None else login_from(row)

    async def leave(self, tenant: str, mac: bytes) -> None:
        """Somebody has logged out."""
        await self._writer.call(lambda db: every(db, _SQL["leave"], (tenant, mac)))

    async def leave_all(self, tenant: str, kind: str, subject: str) -> int:
        """Ends a subject's log-ins."""
        return len(await self._writer.call(lambda db: every(db, _SQL["leave_all"], (tenant, kind, subject))))

    async def forget(self, before: float) -> int:
        """Removes what has expired."""
        gone = 0
        if await self._reader.call(lambda db: one(db, _SQL["old"], (before,))) is None:
            return 0  # a look disturbs no writer
        while True:
            some = len(await self._writer.call(lambda db: every(db, _SQL["forget"], (before, _BATCH))))
            gone += some
            if some < _BATCH:
                return gone
