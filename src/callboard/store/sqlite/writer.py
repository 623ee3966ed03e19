"""Group commit: one thread writes, and one transaction carries what many runs want written.

Whoever wants something written hands in an op and gets an awaitable. The thread takes all ops that have
gathered while it wrote the last group, applies them kind by kind in one transaction, commits, and tells
all who wait in one hop to the event loop. If anything in a group raises, the transaction is rolled back and
its ops are applied one by one, so that a bad row fails alone.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import apsw

from callboard.connections.sqlite import WriteLock, connect, explain, use_wal
from callboard.domain.errors import RowRefused, StoreError, StoreUnavailable

Fault = Callable[[str], None]
Observe = Callable[[int, float], None]
_OF_THE_FILE = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.CorruptError,
    apsw.NotADBError,
)
_GROUP = 2_000  # ops in one transaction at most, so that no group keeps others waiting for long


class Op(Protocol):
    """Something to write. Ops of one class are applied together, in the order of `rank`, then of arrival."""

    rank: int
    future: asyncio.Future[Any]

    @staticmethod
    def apply(db: apsw.Connection, ops: Sequence[Any]) -> list[Any]:
        """Writes all ops; returns a result for each, an exception for those that are refused."""
        ...


class Call:
    """An op that is any function of the connection: rare work that needs no grouping."""

    rank = 9
    __slots__ = ("fn", "future")

    def __init__(self, fn: Callable[[apsw.Connection], Any]) -> None:
        self.fn = fn
        self.future: asyncio.Future[Any]

    @staticmethod
    def apply(db: apsw.Connection, ops: "Sequence[Call]") -> list[Any]:
        """Runs each function in a savepoint of its own."""
        results: list[Any] = []
        for op in ops:
            try:
                with db:
                    results.append(op.fn(db))
            except apsw.Error:
                raise
            except Exception as refusal:
                results.append(refusal)
        return results


class Writer:
    """The thread that writes one database file.

    Args:
        path: the file, or `:memory:`.
        fault: called with `before_commit` and `after_commit` around each commit; the crash tests' hook.
        observe: called on the writing thread once for each group that was committed, with its number of ops and
            the seconds it took, waiting for other writers included.
    """

    def __init__(self, path: str, fault: Fault | None = None, observe: Observe | None = None) -> None:
        self._path = path
        self._fault = fault
        self._observe = observe
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="callboard-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._broken: dict[tuple[int, int], int] = {}
        self._lock: WriteLock | None = None
        self.db: apsw.Connection | None = None

    def open(self, check: Callable[[apsw.Connection], None], prepare: Callable[[apsw.Connection], None]) -> None:
        """Connects if `check` has nothing against it, runs `prepare` under the write lock, and starts the thread.

        Raises StoreError.
        """
        self._loop = asyncio.get_running_loop()
        self.db = connect(self._path, check=check)
        try:
            self._lock = WriteLock(self._path)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write beside {self._path}", why=str(error), remedy="change the folder's permissions"
            ) from error
        with self._lock:
            use_wal(self.db, self._path)
            prepare(self.db)
        self._thread.start()

    def submit(self, op: Any) -> asyncio.Future[Any]:
        """Queues an op; the future has its result once it is committed. Call it on the event loop."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        op.future = future
        if self._closed or self._loop is None:
            future.set_exception(StoreUnavailable(f"{self._path} is closed", remedy="open the store again"))
        else:
            self._queue.put(op)
        return future

    def call(self, fn: Callable[[apsw.Connection], Any]) -> asyncio.Future[Any]:
        """Runs a function in a transaction on the writing thread."""
        return self.submit(Call(fn))

    def tell(self, fn: Callable[[apsw.Connection], Any]) -> None:
        """Like `call`, from any thread, and nobody waits for it."""
        op = Call(fn)
        op.future = None  # type: ignore[assignment]
        if not self._closed:
            self._queue.put(op)

    async def close(self) -> None:
        """Writes what is queued, then closes the connection."""
        if self._closed or self.db is None:
            return
        self._closed = True
        if self._thread.is_alive():
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
        if self._lock is not None:
            self._lock.close()
        self.db.close()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            group = self._gather()
            if group and group[-1] is None:
                stopping = True
                group.pop()
            if group:
                self._deliver(self._write_guarded(group))

    def _gather(self) -> list[Any]:
        group = [self._queue.get()]
        try:
            while len(group) < _GROUP and group[-1] is not None:
                group.append(self._queue.get_nowait())
        except Empty:
            pass
        return group

    def _write_guarded(self, group: list[Any]) -> list[tuple[asyncio.Future[Any] | None, Any]]:
        """Whatever happens, everybody who waits is told, and the thread lives on."""
        try:
            return self._write(group)
        except Exception as error:
            return [(op.future, error) for op in group]

    def _write(self, group: list[Any]) -> list[tuple[asyncio.Future[Any] | None, Any]]:
        try:
            return self._transaction(group)
        except Exception as error:
            # A row that cannot be written fails alone. A file that cannot be written fails everybody at once:
            # trying one by one would wait for the same lock or the same disk again and again.
            if len(group) == 1 or isinstance(error, _OF_THE_FILE):
                return [(op.future, self._refused(op, error)) for op in group]
        done: list[tuple[asyncio.Future[Any] | None, Any]] = []
        for op in group:
            done.extend(self._write([op]))
        return done

    def _transaction(self, group: list[Any]) -> list[tuple[asyncio.Future[Any] | None, Any]]:
        assert self.db is not None and self._lock is not None
        kinds: dict[type[Op], list[Any]] = {}
        done: list[tuple[asyncio.Future[Any] | None, Any]] = []
        for op in group:
            if self._broken and (gap := self._gap(op)) is not None:
                done.append((op.future, gap))
            else:
                kinds.setdefault(type(op), []).append(op)
        if not kinds:
            return done
        began = time.perf_counter()
        with self._lock:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                for kind in sorted(kinds, key=_rank):
                    ops = kinds[kind]
                    done.extend(zip([op.future for op in ops], kind.apply(self.db, ops), strict=True))
                if self._fault is not None:
                    self._fault("before_commit")
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise
        if self._observe is not None:
            self._observe(len(group), time.perf_counter() - began)
        if self._fault is not None:
            self._fault("after_commit")
        return done

    def _refused(self, op: Any, error: Exception) -> Exception:
        """Remembers where a claim's journal would get a gap if what was queued behind a refused append came in."""
        begins = getattr(op, "begins", None)
        if begins is not None:
            self._broken.setdefault((op.claim.number, op.claim.epoch), begins)
        if isinstance(error, apsw.Error):
            return explain(error, self._path)
        if isinstance(error, ValueError | TypeError | OverflowError):  # what apsw cannot hand to SQLite
            return RowRefused(f"{self._path} cannot hold what was to be written", why=str(error))
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

    def _deliver(self, done: list[tuple[asyncio.Future[Any] | None, Any]]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(_resolve, done)
        except RuntimeError:
            self._closed = True  # the loop is gone, and with it everybody who waited


def _rank(kind: type[Op]) -> int:
    return kind.rank


def _resolve(done: list[tuple[asyncio.Future[Any] | None, Any]]) -> None:
    for future, result in done:
        if future is None or future.done():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
