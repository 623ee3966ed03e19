"""The PostgreSQL store: a pool for reading and rare writes, a writer for what is done all the time, a schema."""

from collections.abc import Callable, Sequence

from callboard.connections.postgres import Database
from callboard.domain.errors import StoreError
from callboard.store.postgres.answers import PostgresAnswers
from callboard.store.postgres.approvals import PostgresApprovals
from callboard.store.postgres.audit import PostgresAudit
from callboard.store.postgres.blobs import PostgresBlobs
from callboard.store.postgres.budgets import PostgresBudgets
from callboard.store.postgres.claims import PostgresClaims
from callboard.store.postgres.commits import Fault
from callboard.store.postgres.controls import PostgresControls
from callboard.store.postgres.costs import PostgresCosts
from callboard.store.postgres.counters import PostgresCounters
from callboard.store.postgres.deliveries import PostgresDeliveries
from callboard.store.postgres.inbox import PostgresInbox
from callboard.store.postgres.journal import PostgresJournal
from callboard.store.postgres.keys import PostgresKeys
from callboard.store.postgres.migrate import Migration, known, prepare
from callboard.store.postgres.people import PostgresPeople
from callboard.store.postgres.runs import PostgresRuns
from callboard.store.postgres.schedules import PostgresSchedules
from callboard.store.postgres.sessions import PostgresSessions
from callboard.store.postgres.sql import statements
from callboard.store.postgres.writer import Writer

_SQL = statements("schema")


class PostgresStore:
    """All protocols of `callboard.store` on one PostgreSQL database.

    Args:
        url: `postgresql://user:password@host:port/database`.
        door: it takes the role `callboard_door`, whoever logs in: each method sees the rows of its tenant only,
            and what workers do is refused.
        fault: called around each commit, see Writer; only crash tests hand one in.
        observe: told of each commit's size and seconds.
        migrations: the schema that it needs; tests of other schemas hand them in.
    """

    def __init__(
        self,
        url: str,
        *,
        door: bool = False,
        fault: Fault | None = None,
        observe: Callable[[int, float], None] | None = None,
        migrations: Sequence[Migration] | None = None,
    ) -> None:
        self._database = Database(url, door=door, least=0)
        # Apart: a pool that is full of other work must not look like counters that are away.
        self._counting = Database(url, door=door, size=2, least=0)
        self._migrations = known() if migrations is None else migrations
        self._writer = Writer(self._database, fault, observe=observe)
        self.journal = PostgresJournal(self._writer, self._database)
        self.runs = PostgresRuns(self._writer, self._database)
        self.costs = PostgresCosts(self._database)
        self.inbox = PostgresInbox(self._writer, self._database)
        self.claims = PostgresClaims(self._writer, self._database)
        self.approvals = PostgresApprovals(self._writer, self._database)
        self.blobs = PostgresBlobs(self._database)
        self.controls = PostgresControls(self._database)
        self.schedules = PostgresSchedules(self._database)
        self.sessions = PostgresSessions(self._database)
        self.deliveries = PostgresDeliveries(self._database)
        self.budgets = PostgresBudgets(self._database)
        self.answers = PostgresAnswers(self._database)
        self.keys = PostgresKeys(self._database)
        self.people = PostgresPeople(self._database)
        self.audit = PostgresAudit(self._database)
        self.counters = PostgresCounters(self._counting)

    async def open(self) -> None:
        """Brings the schema up to date if that is needed and allowed, and connects. Raises StoreError with what to
        do."""
        await prepare(self._database, self._migrations)
        await self._database.open()
        await self._counting.open()
        try:
            await self._check_rights()
            await self._writer.open()
        except BaseException:
            await self._counting.close()
            await self._database.close()
            raise

    async def close(self) -> None:
        """Writes what is queued and disconnects."""
        await self.claims.close()
        await self._writer.close()
        await self._counting.close()
        await self._database.close()

    async def now(self) -> float | None:
        """What time the database has."""
        async with self._database.reading("") as db:
            at: float = await db.fetchval(_SQL["now"])
        return at

    async def check(self) -> dict[str, str]:
        """Where the store is, its version, schema and size, and whether a commit reaches the disk."""
        async with self._database.reading("") as db:
            version, size, commit, fsync, user, schema = await db.fetchrow(_SQL["facts"])
        lasting = commit != "off" and fsync == "on"
        return {
            "store": self._database.name,
            "postgres": version,
            "user": user,
            "schema": schema,
            "bytes": str(size),
            "durable": "yes" if lasting else f"no: a crash loses commits (synchronous_commit={commit}, fsync={fsync})",
        }

    async def _check_rights(self) -> None:
        """Refuses a user who would see nothing, silently, because row-level security hides it all."""
        async with self._database.reading("") as db:
            user, unbound, worker = await db.fetchrow(_SQL["rights"])
        if not self._database.door and not unbound and not worker:
            raise StoreError(
                f"{user} may not work in {self._database.name}",
                why="it is no member of callboard_worker, so it would see no run",
                remedy=f"GRANT callboard_worker TO {user}; or open the store as a door",
            )
