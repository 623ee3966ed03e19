"""Whether a transaction was committed whose connection was cut while it was being committed.

Every group writes its number into its writer's row, in its own transaction. Afterwards the row tells: it has the
number, or it has not. Reading it under its lock waits for a session that is still at work on it. This holds
whatever the server went through, also a crash or a failover.
"""

import secrets
from typing import Any

import asyncpg

from callboard.connections.postgres import begun
from callboard.store.postgres.sql import statements

_SQL = statements("marks")
_WAIT = 500  # milliseconds to wait for a session that still holds the row


class Marks:
    """The row of one writer, whose name is random: `writer`."""

    def __init__(self) -> None:
        self.writer = secrets.token_hex(8)
        self._number = 0

    async def put(self, db: Any) -> tuple[int, int]:
        """Marks the transaction on this connection; returns its number and the session's process."""
        self._number += 1
        return self._number, await db.fetchval(_SQL["mark"], self.writer, self._number)

    async def committed(self, db: Any, number: int, session: int) -> bool:
        """Whether the transaction with that mark was committed, which is decided by then.

        Raises what asyncpg raises; LockNotAvailableError when a session is still at it: ask again.
        """
        # A door may look at its own mark alone, and says which that is.
        mine = f"SET LOCAL callboard.writer = '{self.writer}'"
        async with begun(db, f"BEGIN; SET LOCAL lock_timeout = {_WAIT}; {mine}"):
            try:
                last = await db.fetchval(_SQL["last"], self.writer)
            except asyncpg.LockNotAvailableError:
                held = True
            else:
                held = False
        if held:
            await db.execute(_SQL["sever"], session)
            raise asyncpg.LockNotAvailableError("a session that was cut is still at it")
        return bool(last >= number)

    def rename(self) -> None:
        """A new row, for when it is not known whether some session holds the old one."""
        self.writer = secrets.token_hex(8)

    async def open(self, db: Any) -> None:
        """Removes marks that nobody needs any more."""
        await db.execute(_SQL["clean"])

    async def close(self, db: Any) -> None:
        """Removes this writer's mark."""
        await db.execute(_SQL["leave"], self.writer)
