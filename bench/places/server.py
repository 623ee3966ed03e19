"""A PostgreSQL server as it is watched while others work in it: its processor time, log, and transactions."""

import contextlib
import os
from pathlib import Path

import asyncpg

_TICK = os.sysconf("SC_CLK_TCK")
_NANO = 1e9


class Server:
    """The server behind a URL. Its processor time is known where its processes can be seen from here.

    Args:
        url: of any of its databases, for a user who may look at its statistics.
        checkpointer: the process number of its checkpointer.
        version: as it calls itself.
    """

    def __init__(self, url: str, checkpointer: int, version: str) -> None:
        self.url = url
        self.version = version
        # In another machine or container the number is somebody else's, or nobody's.
        title = _raw(Path(f"/proc/{checkpointer}/cmdline"))
        seen = title.startswith(b"postgres:") and b"checkpointer" in title
        self._postmaster = _parent(checkpointer) if seen else None

    @property
    def seen(self) -> bool:
        """Whether its processor time is known."""
        return self._postmaster is not None

    def cpu(self) -> float:
        """Processor seconds of all its processes so far: those that serve clients, those that write, and those that
        have ended. Only differences mean something; nan when it cannot be seen."""
        if self._postmaster is None:
            return float("nan")
        living = [self._postmaster, *_children(self._postmaster)]
        nanoseconds = sum(int((_read(Path(f"/proc/{pid}/schedstat")) or "0").split()[0]) for pid in living)
        return nanoseconds / _NANO + _of_the_dead(self._postmaster)

    async def log_bytes(self) -> int:
        """Bytes of write-ahead log so far."""
        return int(await self.value("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    async def transactions(self, store: str) -> int:
        """Transactions in a database so far, our look among them. A statement by itself is one."""
        db = await asyncpg.connect(store)
        try:
            with contextlib.suppress(asyncpg.PostgresError):
                await db.execute("SELECT pg_stat_force_next_flush()")
            sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            return int(await db.fetchval(sql))
        finally:
            await db.close()

    async def connections(self, store: str) -> int:
        """Connections to a database, ours not among them."""
        db = await asyncpg.connect(store)
        try:
            sql = "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
            return int(await db.fetchval(sql))
        finally:
            await db.close()

    async def value(self, sql: str) -> str:
        """The one value of a statement."""
        db = await asyncpg.connect(self.url)
        try:
            return str(await db.fetchval(sql))
        finally:
            await db.close()


def _children(pid: int) -> list[int]:
    return [int(word) for word in _read(Path(f"/proc/{pid}/task/{pid}/children")).split()]


def _of_the_dead(pid: int) -> float:
    """Processor seconds of a process's children that have ended."""
    words = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(words[13]) + int(words[14])) / _TICK if words else 0.0


def _parent(pid: int) -> int:
    return int(_read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[1])


def _read(path: Path) -> str:
    return _raw(path).decode(errors="replace")


def _raw(path: Path) -> bytes:
    """What a file of /proc says; nothing when the process has ended meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
