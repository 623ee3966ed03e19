"""A bell between the processes of a small fleet: `NOTIFY` and `LISTEN` of PostgreSQL.

Hints are told by a connection of its own, outside every transaction that writes: a commit with a notification
takes a lock on the whole database. While one notification is on its way further hints gather for the next.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from callboard.connections.backoff import Backoff
from callboard.connections.postgres import Database, explain
from callboard.connections.tasks import end
from callboard.dispatch.bell import LOOK, Bell, Hint, Listener
from callboard.dispatch.pending import Pending, pack, unpack
from callboard.domain.errors import InputInvalid

_log = logging.getLogger("callboard.dispatch")
_LIMIT = 7_900  # bytes; PostgreSQL refuses payloads of 8,000
_PATIENCE = 2.0  # seconds that open waits for the server, and close for what is still to be told
_ANSWER = 5.0  # seconds for an answer; a connection that gives none is given up
_LOOK_AFTER = 5.0  # seconds between looks whether a silent connection lives
# A notification is nothing to wait for the disk for; "local" is this one transaction, also behind a bouncer.
_NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"


class PostgresBell:
    """See callboard.dispatch.bell.Bell. All processes hear all hints, but of READY hints one in each batch.

    Args:
        url: the database. May lead through PgBouncer (`?pgbouncer=1`) if `listen` does not.
        local: tells the listeners in this process.
        name: this process's own, like no other's in the fleet, without spaces.
        listen: the database's direct address, when `url` is a bouncer's.
        channel: fleets that share one database use one each.

    Raises:
        InputInvalid: it would listen through a bouncer, and hear nothing.
    """

    def __init__(self, url: str, local: Bell, name: str, *, listen: str | None = None, channel: str = "callboard"):
        self._teller = Database(url)
        self._listener = Database(url if listen is None else listen)
        if self._listener.bouncing:
            raise InputInvalid(
                f"the bell cannot listen at {self._listener.name}",
                why="notifications do not pass through PgBouncer",
                remedy="name the database's direct address to listen at",
            )
        self._local = local
        self._name = name
        self._channel = channel
        self._pending = Pending()
        self._rung = asyncio.Event()
        self._listening = asyncio.Event()
        self._told = asyncio.Event()  # nothing is left to be told
        self._telling = True
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def healthy(self) -> bool:
        return self._telling and self._listening.is_set()

    def ring(self, hints: Iterable[Hint]) -> None:
        told = list(hints)
        self._local.ring(told)
        if self._tasks:
            for hint in told:
                self._pending.add(hint)
            if self._pending:
                self._told.clear()
                self._rung.set()

    def listen(self, listener: Listener) -> None:
        self._local.listen(listener)

    def mark(self) -> int:
        return 0

    def answered(self, mark: int) -> None:
        pass

    async def open(self) -> None:
        await self._local.open()
        start = asyncio.get_running_loop().create_task
        self._tasks = [start(self._listen_forever()), start(self._tell_forever())]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), _PATIENCE)

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        if tasks and self._telling:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _PATIENCE)
        await end(tasks)
        self._pending.clear()
        await self._local.close()

    async def _tell_forever(self) -> None:
        backoff = Backoff()
        while True:
            db = None
            try:
                db = await self._teller.connect()
                self._telling = True
                while True:
                    if not self._pending:
                        self._told.set()
                        await self._rung.wait()
                    self._rung.clear()
                    await self._tell(db)
                    backoff.reset()
            except Exception as error:  # whatever it is, nobody who rings shall notice
                self._complain(error, self._teller.url, first=self._telling)
                self._telling = False
            finally:
                if db is not None:
                    db.terminate()
            await asyncio.sleep(backoff.pause())

    async def _tell(self, db: Any) -> None:
        hints = self._pending.take()
        try:
            for payload in pack(self._name, hints, _LIMIT):
                await db.fetchrow(_NOTIFY, self._channel, payload, timeout=_ANSWER)
        except Exception:
            self._pending.put_back(hints)
            raise

    async def _listen_forever(self) -> None:
        backoff, missed, complained = Backoff(), False, False
        while True:
            db = None
            try:
                db = await self._listener.connect()
                gone = asyncio.Event()
                db.add_termination_listener(lambda _, gone=gone: gone.set())
                await db.add_listener(self._channel, self._hear)
                self._listening.set()
                backoff.reset()
                if missed:
                    self._local.ring([LOOK])
                complained = False
                await _until_cut(db, gone)
            except Exception as error:  # as above
                self._complain(error, self._listener.url, first=not complained)
                complained = True
            finally:
                self._listening.clear()
                if db is not None:
                    db.terminate()
            missed = True
            await asyncio.sleep(backoff.pause())

    def _hear(self, db: Any, pid: int, channel: str, payload: str) -> None:
        sender, hints = unpack(payload)
        if sender != self._name and hints:
            self._local.ring(hints)

    def _complain(self, error: Exception, url: str, *, first: bool) -> None:
        level = logging.WARNING if first else logging.DEBUG
        _log.log(level, "the bell reaches no other process for now, trying again: %s", explain(error, url))


async def _until_cut(db: Any, gone: asyncio.Event) -> None:
    """Waits for the end of a connection. A network that swallows everything ends none: hence the looks."""
    while not gone.is_set():
        try:
            await asyncio.wait_for(gone.wait(), _LOOK_AFTER)
        except TimeoutError:
            await db.fetchval("SELECT 1", timeout=_ANSWER)
    raise ConnectionResetError("the server ended the connection")
