"""One connection that its holder keeps, replaced whenever it is cut."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from callboard.connections.postgres import DRIVER, Database, begun, cut, explain, gone
from callboard.domain.errors import StoreUnavailable

# For holders whose statements all go from a few rows, by an index, to a few others. The planner's guesses about
# arrays of unknown length and tables that grew since they were looked at are kept from choosing anything else.
# So the plan is made once, not at every call.
BY_INDEX = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
}
_FIRST, _LONGEST = 0.02, 1.0  # seconds between two attempts


class Line:
    """A connection beside the pool.

    Args:
        database: where to.
        settings: of the session; not behind a bouncer, whose sessions are everybody's.
        patience: how long a server that is away is waited for, in seconds; it may be starting anew.
    """

    def __init__(self, database: Database, settings: dict[str, str], *, patience: float = 30.0) -> None:
        self._database = database
        self._settings = settings
        self._patience = patience
        self._away = False
        self._db: Any = None
        self._closed = False
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Any]:
        """The connection, for one user after the other; behind a bouncer in a transaction. Raises StoreError."""
        async with self._turn:
            db = await self.get()
            try:
                if not self._database.bouncing:
                    yield db
                else:
                    async with begun(db, self._database.prologue("" if self._database.door else None)):
                        yield db
            except DRIVER as error:
                if cut(error) or gone(db):
                    self.drop()
                raise explain(error, self._database.url) from error

    async def get(self) -> Any:
        """The connection; a new one if the last was cut. Raises StoreUnavailable when the server stays away."""
        if self._db is not None and not gone(self._db):
            return self._db
        self.drop()
        # Whoever has waited in vain once does not wait as long again before the server is back.
        deadline = time.monotonic() + (0.0 if self._away else self._patience)
        pause = _FIRST
        while not self._closed:
            try:
                self._db = await self._database.connect(self._settings)
                self._away = False
                return self._db
            except DRIVER as error:
                if not cut(error) or time.monotonic() + pause > deadline:
                    self._away = cut(error)
                    raise explain(error, self._database.url) from error
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - only to spread the attempts
            pause = min(pause * 2, _LONGEST)
        raise StoreUnavailable(f"{self._database.name} is closed", remedy="open the store again")

    def drop(self) -> None:
        """Cuts the connection, of which nobody knows what it still does."""
        if self._db is not None:
            self._db.terminate()
            self._db = None

    async def close(self) -> None:
        """Disconnects for good."""
        self._closed = True
        if self._db is not None and not gone(self._db):
            try:
                await self._db.close(timeout=5.0)
            except DRIVER:
                self._db.terminate()
        self._db = None
