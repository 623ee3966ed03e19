"""The SQLite store: one file, one writer, a schema that is brought up to date on opening."""

import os
import time
from collections.abc import Callable

import apsw

from callboard.connections.sqlite import MEMORY, explain, explained
from callboard.domain.errors import StoreCorrupt, StoreError, StoreNewer
from callboard.store.sqlite.answers import SqliteAnswers
from callboard.store.sqlite.audit import SqliteAudit
from callboard.store.sqlite.budgets import SqliteBudgets
from callboard.store.sqlite.claims import SqliteClaims
from callboard.store.sqlite.controls import SqliteControls
from callboard.store.sqlite.costs import SqliteCosts
from callboard.store.sqlite.counters import SqliteCounters
from callboard.store.sqlite.deliveries import SqliteDeliveries
from callboard.store.sqlite.journal import SqliteApprovals, SqliteBlobs, SqliteInbox, SqliteJournal
from callboard.store.sqlite.keys import SqliteKeys
from callboard.store.sqlite.liveness import Liveness
from callboard.store.sqlite.people import SqlitePeople
from callboard.store.sqlite.reader import Reader
from callboard.store.sqlite.runs import SqliteRuns
from callboard.store.sqlite.schedules import SqliteSchedules
from callboard.store.sqlite.sessions import SqliteSessions
from callboard.store.sqlite.sql import migrations, one
from callboard.store.sqlite.writer import Fault, Observe, Writer

_APPLICATION = 0x43424F41  # "CBOA" in the file's header: this is a Callboard store


class SqliteStore:
    """All protocols of `callboard.store` on one SQLite file.

    Args:
        path: the file, or `:memory:` for one that dies with the object.
        fault: called around each commit, see Writer; only crash tests hand one in.
        monotonic: the clock of heartbeats, in seconds.
        observe: is told of each commit, see Writer.
        counted: seconds by which counters are counted; those of `monotonic` by default.
    """

    def __init__(
        self,
        path: str,
        *,
        fault: Fault | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        observe: Observe | None = None,
        counted: Callable[[], float] | None = None,
    ) -> None:
        self.path = path if path == MEMORY else os.path.abspath(path)
        self._writer = Writer(self.path, fault, observe)
        self._reader = Reader(self.path, self._writer)
        self.journal = SqliteJournal(self._writer, self._reader)
        self.runs = SqliteRuns(self._writer, self._reader)
        self.costs = SqliteCosts(self._reader)
        self.inbox = SqliteInbox(self._writer, self._reader)
        self._liveness = Liveness(self.path)
        self.claims = SqliteClaims(self._writer, self._reader, self._liveness, monotonic)
        self.approvals = SqliteApprovals(self._writer, self._reader)
        self.blobs = SqliteBlobs(self._reader)
        self.counters = SqliteCounters(self._writer, self._reader, counted or monotonic)
        self.controls = SqliteControls(self._writer, self._reader)
        self.schedules = SqliteSchedules(self._writer, self._reader)
        self.sessions = SqliteSessions(self._writer, self._reader)
        self.deliveries = SqliteDeliveries(self._writer, self._reader)
        self.budgets = SqliteBudgets(self._writer, self._reader)
        self.answers = SqliteAnswers(self._writer, self._reader)
        self.keys = SqliteKeys(self._writer, self._reader)
        self.people = SqlitePeople(self._writer, self._reader)
        self.audit = SqliteAudit(self._writer, self._reader)

    async def open(self) -> None:
        """Opens the file and brings its schema up to date. Raises StoreError with what to do."""
        self._writer.open(self._check, self._prepare)
        self._reader.open()

    async def close(self) -> None:
        """Writes what is queued and closes the file."""
        self._reader.close()  # the writer goes last: whoever closes last moves the log into the file
        await self._writer.close()
        self._liveness.close()

    async def now(self) -> float | None:
        """None: a file has no clock but this machine's."""
        return None

    async def check(self) -> dict[str, str]:
        """Where the store is, its schema version, its size, and SQLite's own integrity check."""

        def work(db: apsw.Connection) -> dict[str, str]:
            return {
                "store": self.path,
                "sqlite": apsw.sqlite_lib_version(),
                "schema": str(db.pragma("user_version")),
                "bytes": str(db.pragma("page_count") * db.pragma("page_size")),
                "integrity": str(db.pragma("quick_check")),
            }

        return await self._reader.call(work)

    def _check(self, db: apsw.Connection) -> None:
        """Refuses what is not ours before anything is changed."""
        with explained(self.path), db:  # one look: another process may be making the schema right now
            found = db.pragma("user_version")
            latest = migrations()[-1][0]
            if db.pragma("application_id") not in (0, _APPLICATION) or (found == 0 and _has_tables(db)):
                raise StoreCorrupt(
                    f"{self.path} is another program's database",
                    why="it holds tables or a mark that are not Callboard's",
                    remedy="name another file; it was not touched",
                )
            if found > latest:
                raise StoreNewer(
                    f"{self.path} has schema {found}; this Callboard knows schemas up to {latest}",
                    why="a later version wrote it",
                    remedy="install that version, or name another file; it was not touched",
                )

    def _prepare(self, db: apsw.Connection) -> None:
        with explained(self.path):
            found = db.pragma("user_version")  # anew: another process may have been faster
        if found < migrations()[-1][0]:
            self._migrate(db, found)

    def _migrate(self, db: apsw.Connection, found: int) -> None:
        db.execute("BEGIN EXCLUSIVE")
        try:
            for number, script in migrations():
                if number > found:
                    db.execute(script)
                    db.pragma("user_version", number)
            db.pragma("application_id", _APPLICATION)
            db.execute("COMMIT")
        except BaseException as error:
            db.execute("ROLLBACK")
            if isinstance(error, apsw.SQLError):
                raise StoreError(f"cannot bring {self.path} up to date", why=str(error)) from error
            if isinstance(error, apsw.Error):
                raise explain(error, self.path) from error
            raise


def _has_tables(db: apsw.Connection) -> bool:
    return one(db, "SELECT 1 FROM sqlite_schema LIMIT 1") is not None
