"""A user's rows and a run's event in one transaction."""

import asyncio
import contextlib
import hashlib
import inspect
import random
import time
from collections.abc import Callable
from typing import Any

from callboard.connections.postgres import DRIVER, Database, cut, gone
from callboard.domain.errors import FlowMisuse, StoreUnavailable
from callboard.domain.event import Event
from callboard.store.claims import Claim
from callboard.store.postgres.appends import lost, written
from callboard.store.postgres.group import INLINE
from callboard.store.postgres.sql import statements

_SQL = statements("transact")
_APPENDS = statements("appends")
_AGAIN = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_PATIENCE = 60.0  # seconds to find out whether a commit came through


class Raised:
    """What the user's function raised; nothing of it is written."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Repeat(Exception):
    """The transaction was lost before anything of it could be committed."""


class Transact:
    """An op that calls a function with a connection and appends the event that tells how it went.

    The writer begins it when all earlier ops of the run are committed, and holds later ones back until it is done.
    """

    __slots__ = ("begins", "claim", "do", "event", "future", "isolation", "limit")

    def __init__(
        self,
        claim: Claim,
        seq: int,
        do: Callable[[Any], Any],
        event: Callable[[Any], Event],
        limit: float,
        isolation: str,
    ) -> None:
        self.claim, self.begins, self.do, self.event, self.limit = claim, seq, do, event, limit
        self.isolation = isolation
        self.future: asyncio.Future[Any]

    @property
    def tenant(self) -> str:
        """Whose run it is."""
        return self.claim.tenant

    async def run(self, database: Database) -> Any:
        """Returns what the function returned, or Raised. Raises StoreError, LeaseLost among it."""
        deadline = time.monotonic() + self.limit
        pause = 0.01
        while True:
            try:
                async with database.taken() as db:
                    return await self._once(database, db, deadline)
            except _Repeat as why:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - only to spread the attempts
                pause *= 2
                if time.monotonic() > deadline:
                    assert isinstance(why.__cause__, Exception)
                    return Raised(why.__cause__)

    async def _once(self, database: Database, db: Any, deadline: float) -> Any:
        left = max(deadline - time.monotonic(), 0.001)
        transaction = db.transaction(isolation=self.isolation)
        try:
            await transaction.start()
            xid = await db.fetchval(_SQL["limits"], str(max(int(left * 1000), 1)), column=2)
        except DRIVER as error:
            if cut(error) or gone(db):
                raise _Repeat from error
            raise
        try:
            value = await self._done(db, left)
            event = self.event(value)
        except Exception as error:
            await _rollback(db, transaction)
            if gone(db) or getattr(error, "sqlstate", None) in _AGAIN:
                raise _Repeat from error
            return Raised(error)
        except BaseException:
            await _rollback(db, transaction)
            raise
        try:
            held = await self._append(db, event)  # the lock on the run comes last, so that it is short
            if held:
                await transaction.commit()
        except DRIVER as error:
            if not (cut(error) or gone(db)):
                await _rollback(db, transaction)
                if getattr(error, "sqlstate", None) in _AGAIN:
                    raise _Repeat from error
                raise
            _drop(db)
            held = True
            if not await self._committed(database, xid, event):
                raise _Repeat from error
        if not held:
            await _rollback(db, transaction)
            raise lost(self.claim)
        return value

    async def _done(self, db: Any, left: float) -> Any:
        value = self.do(db)
        if inspect.isawaitable(value):
            value = await asyncio.wait_for(value, left)
        if not db.is_in_transaction():
            raise FlowMisuse(
                "the function of ctx.transaction ended the transaction",
                why="its rows and the event that says so have to be committed together",
                remedy="leave COMMIT and ROLLBACK out; to undo a part, use a nested `connection.transaction()`",
            )
        return value

    async def _append(self, db: Any, e: Event) -> bool:
        claim = self.claim
        body: bytes | None = e.body
        blob: bytes | None = None
        if len(e.body) > INLINE:
            body, blob = None, hashlib.sha256(e.body).digest()
            await db.execute(_APPENDS["put_blobs"], [claim.tenant], [blob], [e.body], [e.at / 1e6])
        status = await db.execute(
            _APPENDS["append_one"], claim.number, e.seq, e.kind, e.path, e.digest, e.at, e.took, body, blob, claim.epoch
        )
        return bool(status == "INSERT 0 1")

    async def _committed(self, database: Database, xid: str, event: Event) -> bool:
        """Whether the transaction came through whose connection was cut: once it is over, its event is there or not."""
        began = time.monotonic()
        while time.monotonic() - began < _PATIENCE:
            with contextlib.suppress(StoreUnavailable):
                async with database.taken() as db:
                    if time.monotonic() - began > 0.5:
                        await db.execute(_SQL["sever"], xid)
                    if not await db.fetchval(_SQL["going_on"], xid):
                        return await written(db, self.claim, [event])
            await asyncio.sleep(0.1)
        raise StoreUnavailable("it is not known whether a transaction was committed", why="the server stays away")


async def _rollback(db: Any, transaction: Any) -> None:
    if gone(db):
        return
    try:
        if db.is_in_transaction():
            await transaction.rollback()
    except DRIVER:
        _drop(db)


def _drop(db: Any) -> None:
    """Cuts a connection of which nobody knows what it still does."""
    if not gone(db):
        db.terminate()
