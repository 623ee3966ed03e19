"""SQLite connections through apsw: how they are opened, and what their errors mean to a person."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

from callboard.domain.errors import RowRefused, StoreCorrupt, StoreError, StoreUnavailable

MEMORY = ":memory:"


def connect(
    path: str, *, readonly: bool = False, check: Callable[[apsw.Connection], None] | None = None
) -> apsw.Connection:
    """Opens a database file with full durability.

    `check` sees the connection before anything in the file is changed, and raises if it is not ours.
    Raises StoreUnavailable or StoreCorrupt, naming the file.
    """
    flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    with explained(path):
        db = apsw.Connection(path, flags=flags)
        db.set_busy_timeout(10_000)
        try:
            if check is not None:
                check(db)
        except BaseException:
            db.close()
            raise
        # FULL: a commit has reached the disk when it returns. The larger checkpoint interval keeps checkpoints
        # out of most commits; the size limit gives the space of a burst back.
        db.execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=67108864")
        db.execute("PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY")
    return db


def use_wal(db: apsw.Connection, path: str) -> None:
    """Turns the write-ahead log on. To be called under the write lock: two processes that switch a new file at once
    are told that it is busy, whatever the busy timeout."""
    if path != MEMORY:
        with explained(path):
            # For a new file: rows of a kilobyte, such as model answers, waste a quarter of 4 KiB pages.
            db.execute("PRAGMA page_size=16384; PRAGMA journal_mode=WAL")


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turns SQLite's errors into ours: what happened, why, what to do."""
    try:
        yield
    except apsw.Error as error:
        raise explain(error, path) from error


def explain(error: apsw.Error, path: str) -> StoreError:
    """Our error for one of SQLite's."""
    match error:
        case apsw.FullError():
            return StoreUnavailable(f"cannot write {path}", why="the disk is full", remedy="free space and repeat")
        case apsw.ReadOnlyError():
            return StoreUnavailable(
                f"cannot write {path}", why="the file or its folder is read-only", remedy="change its permissions"
            )
        case apsw.CantOpenError() | apsw.PermissionsError() | apsw.AuthError():
            return StoreUnavailable(
                f"cannot open {path}",
                why="the folder does not exist, or may not be read or written",
                remedy="create the folder, or name another store",
            )
        case apsw.NotADBError() | apsw.CorruptError():
            return StoreCorrupt(
                f"{path} is not a usable store",
                why=str(error),
                remedy="restore it from a backup, or name another file; it was not touched",
            )
        case apsw.BusyError() | apsw.LockedError():
            return StoreUnavailable(
                f"{path} is locked", why="another program holds a long transaction", remedy="end it and repeat"
            )
        case apsw.TooBigError() | apsw.MismatchError():
            return RowRefused(f"{path} cannot hold what was to be written", why=str(error))
        case apsw.IOError():
            return StoreUnavailable(f"cannot use {path}", why=f"input/output error: {error}", remedy="check the disk")
        case _:
            return StoreError(f"{path}: {error}", why=type(error).__name__)


class WriteLock:
    """A lock between the processes that write one file, held for one transaction.

    SQLite itself waits for a writer by polling with growing pauses; a blocking file lock hands over at
    once and in turn. It only orders writers: correctness stays with SQLite's own locks.
    """

    def __init__(self, path: str) -> None:
        self._fd = -1 if path == MEMORY else os.open(path + "-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *exc: object) -> None:
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Gives the file descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
