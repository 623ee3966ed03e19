"""Group commit: what many runs want written goes into the database together.

Whoever wants something written hands in an op and gets a future. One task takes all ops that have gathered
while the last group was written, writes them in one transaction, and tells all who wait once it is
committed. If a group cannot be written, it is halved until the op that cannot be written fails alone.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from callboard.connections.postgres import DRIVER, Database, explain
from callboard.domain.errors import LeaseLost, RowRefused, StoreError, StoreUnavailable
from callboard.store.postgres.appends import Append
from callboard.store.postgres.commits import Call, Commits, Fault
from callboard.store.postgres.transact import Raised, Transact

_GROUP = 2_000  # ops in one transaction at most, so that no group keeps others waiting for long
# Classes of errors that are of the database and not of a row: access, resources, locks, operators, the system.
_OF_THE_DATABASE = frozenset({"28", "3D", "42", "53", "55", "57", "58", "XX", "08", "25"})


class Writer:
    """The task that writes to one database.

    Args:
        database: where to; behind a door, each group has the ops of one tenant only.
        fault: called with `before_commit` and `after_commit` around each commit; the crash tests' hook.
        observe: told of each group's size and of the seconds that the database took for it.
        patience: how long a server that is away is waited for before what is to be written fails, in seconds.
    """

    def __init__(
        self,
        database: Database,
        fault: Fault | None = None,
        *,
        patience: float = 30.0,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self._observe = observe
        self._database = database
        self._commits = Commits(database, fault, patience)
        self._queue: deque[Any] = deque()
        self._held: dict[int, deque[Any]] = {}  # ops of runs that wait for a transaction of a user's
        self._transactions: set[asyncio.Task[None]] = set()
        self._broken: dict[tuple[int, int], int] = {}
        self._more = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects and begins to write. Raises StoreError."""
        await self._commits.open()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="callboard-writer")

    def submit(self, op: Any) -> asyncio.Future[Any]:
        """Queues an op; the future has its result once it is committed. Call it on the event loop."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        op.future = future
        if self._closed or self._task is None:
            future.set_exception(StoreUnavailable(f"{self._database.name} is closed", remedy="open the store again"))
        else:
            self._enqueue(op)
        return future

    def call(self, fn: Callable[[Any], Awaitable[Any]], tenant: str | None = None) -> asyncio.Future[Any]:
        """Runs an async function of the connection in a transaction, behind all that is queued. After a deadlock
        or a cut connection it runs again."""
        return self.submit(Call(fn, tenant))

    async def close(self) -> None:
        """Writes what is queued, then disconnects."""
        self._closed = True
        if self._task is not None:
            self._more.set()
            await asyncio.wait([self._task])
        await self._commits.close()

    def _enqueue(self, op: Any) -> None:
        if self._held and (claim := getattr(op, "claim", None)) is not None and claim.number in self._held:
            self._held[claim.number].append(op)
            return
        if type(op) is Transact:
            self._held[op.claim.number] = deque()
        self._queue.append(op)
        if not self._more.is_set():
            self._more.set()

    async def _run(self) -> None:
        while self._queue or self._held or not self._closed:
            self._more.clear()
            if not self._queue:
                await self._more.wait()
                continue
            group = [self._queue.popleft() for _ in range(min(len(self._queue), _GROUP))]
            for op, result in await self._write_guarded([op for op in group if type(op) is not Transact]):
                _resolve(op.future, result)
            for op in group:
                if type(op) is Transact:
                    self._begin(op)

    async def _write_guarded(self, group: list[Any]) -> list[tuple[Any, Any]]:
        """Whatever happens, everybody who waits is told, and the task lives on."""
        began = time.perf_counter()
        done: list[tuple[Any, Any]] = []
        try:
            for ops in self._by_tenant(group):
                done += await self._write(ops)
        except Exception as error:
            told = {id(op) for op, _ in done}
            done += [(op, error) for op in group if id(op) not in told]
        except asyncio.CancelledError:  # the loop ends; nobody can wait for the rest
            for op in group:
                _resolve(op.future, StoreUnavailable("writing was broken off", why="the event loop ended"))
            raise
        if group and self._observe is not None:
            self._observe(len(group), time.perf_counter() - began)
        return done

    def _by_tenant(self, group: list[Any]) -> list[list[Any]]:
        if not self._database.door:
            return [group] if group else []
        tenants: dict[str, list[Any]] = {}
        for op in group:
            tenants.setdefault(op.tenant, []).append(op)
        return list(tenants.values())

    async def _write(self, group: list[Any]) -> list[tuple[Any, Any]]:
        done: list[tuple[Any, Any]] = []
        ops = group
        if self._broken:
            done = [(op, gap) for op in group if (gap := self._gap(op)) is not None]
            refused = {id(op) for op, _ in done}
            ops = [op for op in group if id(op) not in refused]
        if not ops:
            return done
        try:
            return done + list(zip(ops, await self._commits.write(ops), strict=True))
        except Exception as error:
            # A row that cannot be written fails alone. A database that cannot be written to fails everybody at
            # once: trying one by one would wait for the same server again and again.
            if len(ops) == 1 or _of_the_database(error):
                return done + [(op, self._refused(op, error)) for op in ops]
        half = len(ops) // 2
        return done + await self._write(ops[:half]) + await self._write(ops[half:])

    def _refused(self, op: Any, error: Exception) -> Exception:
        """Remembers where a claim's journal would get a gap if what was queued behind a refused append came in."""
        begins = getattr(op, "begins", None)
        if begins is not None:
            self._broken.setdefault((op.claim.number, op.claim.epoch), begins)
        if isinstance(error, DRIVER):
            return explain(error, self._database.url)
        if isinstance(error, ValueError | TypeError | OverflowError) and not isinstance(error, StoreError):
            return RowRefused(f"{self._database.name} cannot hold what was to be written", why=str(error))
        return error

    def _gap(self, op: Any) -> StoreError | None:
        claim = getattr(op, "claim", None)
        next_seq = None if claim is None else self._broken.get((claim.number, claim.epoch))
        if claim is None or next_seq is None:
            return None
        if op.begins in (next_seq, None):  # the refused one again, or the claim is handed back
            del self._broken[claim.number, claim.epoch]
            return None
        return StoreError(f"run {claim.run_id} cannot go on here", why="an append before this one was refused")

    def _begin(self, op: Transact) -> None:
        """All earlier ops of its run are committed; later ones are held back until it is done."""
        task = asyncio.get_running_loop().create_task(self._transact(op))
        self._transactions.add(task)
        task.add_done_callback(self._transactions.discard)

    async def _transact(self, op: Transact) -> None:
        result: Any = self._gap(op)
        try:
            if result is None:
                result = await op.run(self._database)
            if isinstance(result, Raised):
                result = await self._told(op, result.error)
        except Exception as error:
            result = error if isinstance(error, LeaseLost) else self._refused(op, error)
        except BaseException as error:
            result = self._refused(op, StoreError("a transaction was broken off", why=type(error).__name__))
            raise
        finally:
            _resolve(op.future, result)
            for later in self._held.pop(op.claim.number):
                self._enqueue(later)
            self._more.set()

    async def _told(self, op: Transact, error: Exception) -> Exception:
        """Appends what the user's function raised, ahead of what is held back."""
        append = Append(op.claim, [op.event(error)], None)
        append.future = asyncio.get_running_loop().create_future()
        self._queue.append(append)
        self._more.set()
        with contextlib.suppress(asyncio.CancelledError):
            await append.future
        return error


def _of_the_database(error: Exception) -> bool:
    if isinstance(error, StoreUnavailable):
        return True
    return (getattr(error, "sqlstate", None) or "")[:2] in _OF_THE_DATABASE


def _resolve(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
