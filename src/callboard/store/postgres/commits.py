"""Groups of ops become transactions, each exactly once, also when a connection is cut at the worst moment."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg

from callboard.connections.postgres import DRIVER, Database, cut, explain, gone
from callboard.domain.errors import StoreError, StoreUnavailable
from callboard.store.postgres import lone, together
from callboard.store.postgres.accounts import lock_accounts
from callboard.store.postgres.appends import Append, append, append_plain, append_plain_again
from callboard.store.postgres.group import Group
from callboard.store.postgres.line import BY_INDEX, Line
from callboard.store.postgres.marks import Marks
from callboard.store.postgres.settles import Settle, settle_all
from callboard.store.postgres.starts import Send, Start, insert_runs, lock_lanes, send, start_all

T = TypeVar("T")
Fault = Callable[[str], None]
_AGAIN = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available
_ATTEMPTS = 12
_PAUSE = 0.02  # seconds, more with each attempt
_PATIENCE = 60.0  # seconds to wait for a session that was cut to end its transaction


class Call:
    """An op that is any async function of the connection: rare work whose place behind earlier ops counts."""

    __slots__ = ("fn", "future", "tenant")

    def __init__(self, fn: Callable[[Any], Awaitable[Any]], tenant: str | None) -> None:
        self.fn = fn
        self.tenant = tenant
        self.future: asyncio.Future[Any]


class Commits:
    """Writes groups, one at a time, on a connection of its own.

    Args:
        database: where to.
        fault: called with `before_commit` and `after_commit` around each commit; the crash tests' hook.
        patience: how long a server that is away is waited for, in seconds.
    """

    def __init__(self, database: Database, fault: Fault | None, patience: float) -> None:
        self._database = database
        self._fault = fault
        self._line = Line(database, BY_INDEX, patience=patience)
        self._marks = Marks()

    async def open(self) -> None:
        """Connects. Raises StoreError."""
        async with self._line.use() as db:
            await self._marks.open(db)

    async def close(self) -> None:
        """Disconnects."""
        with contextlib.suppress(StoreError):
            async with self._line.use() as db:
                await self._marks.close(db)
        await self._line.close()

    async def write(self, ops: Sequence[Any]) -> list[Any]:
        """Writes all ops in one transaction; returns a result for each, an exception for those that are refused.

        Raises what asyncpg raises when some op cannot be written, which may be the fault of one alone;
        StoreUnavailable when the server stays away.
        """
        plain = not (self._database.door or self._database.bouncing) and all(
            type(op) is Append and op.plain for op in ops
        )
        alone = len(ops) == 1 and not self._database.bouncing and lone.fits(ops[0])
        starting = not self._database.bouncing and together.fit(ops)
        for attempt in range(_ATTEMPTS):
            try:
                if alone and (result := await self._write_lone(ops[0])) is not None:
                    return [result]
                if starting:
                    return await self._write_together(ops)
                return await (self._write_plain(ops) if plain else self._write_any(ops))
            except asyncpg.PostgresError as error:
                if error.sqlstate not in _AGAIN or attempt == _ATTEMPTS - 1:
                    raise
            await _pause(attempt)
        raise AssertionError("unreachable")

    async def _write_plain(self, ops: Sequence[Append]) -> list[Any]:
        async def write(db: Any, again: bool) -> list[Any]:
            return list(await (append_plain_again if again else append_plain)(db, ops))

        return await self._write_known(write, None)

    async def _write_lone(self, op: Any) -> Any:
        """The op's result; None when it has to be written as others are."""

        async def write(db: Any, again: bool) -> Any:
            return await lone.write(db, op, again=again)

        return await self._write_known(write, op.tenant)

    async def _write_together(self, ops: Sequence[Start]) -> list[Any]:
        async def write(db: Any, again: bool) -> list[Any]:
            return await together.write(db, ops, again=again)

        return await self._write_known(write, ops[0].tenant)

    async def _write_known(self, write: Callable[[Any, bool], Awaitable[T]], tenant: str | None) -> T:
        """Without a mark: what was written tells by itself, when it is written `again`, whether it was committed."""
        again = False
        for attempt in range(_ATTEMPTS):
            db = await self._line.get()
            try:
                self._at("before_commit")
                if self._database.door:
                    await self._database.show(db, tenant)
                written = await write(db, again)
                self._at("after_commit")
                return written
            except DRIVER as error:
                await self._lost(db, error, attempt)
                again = True
        raise AssertionError("unreachable")

    async def _write_any(self, ops: Sequence[Any]) -> list[Any]:
        for attempt in range(_ATTEMPTS):
            db = await self._line.get()
            marked: tuple[int, int] | None = None
            results: list[Any] | None = None
            try:
                tenant = ops[0].tenant if self._database.door else None
                await db.execute(self._database.prologue(tenant, writer=self._marks.writer))
                marked = await self._marks.put(db)
                made = await _apply(Group(db), ops)
                self._at("before_commit")
                results = made  # from here on the transaction may be committed without our knowing
                await db.execute("COMMIT")
                self._at("after_commit")
                return results
            except DRIVER as error:
                await self._lost(db, error, attempt)
                if marked is None:
                    self._marks.rename()
                elif await self._committed(*marked) and results is not None:
                    return results
            except BaseException:
                await _undo(db)
                raise
        raise AssertionError("unreachable")

    async def _lost(self, db: Any, error: Exception, attempt: int) -> None:
        """Comes back when another connection may do better; raises the error when it is not about connections."""
        if not (cut(error) or gone(db)):
            await _undo(db)
            raise error
        self._line.drop()
        if attempt == _ATTEMPTS - 1:
            raise explain(error, self._database.url) from error
        await _pause(attempt)

    async def _committed(self, number: int, session: int) -> bool:
        """Whether a transaction was committed whose connection was cut; it is over then, one way or the other."""
        began = time.monotonic()
        while True:
            db = await self._line.get()
            try:
                return await self._marks.committed(db, number, session)
            except asyncpg.LockNotAvailableError:
                if time.monotonic() - began > _PATIENCE:
                    raise StoreUnavailable(
                        f"{self._database.name} does not say whether it has committed",
                        why="a session that was cut is still at it",
                        remedy="look for it in pg_stat_activity",
                    ) from None
            except DRIVER as error:
                if not (cut(error) or gone(db)):
                    raise
                self._line.drop()

    def _at(self, moment: str) -> None:
        if self._fault is not None:
            self._fault(moment)


async def _apply(group: Group, ops: Sequence[Any]) -> list[Any]:
    """All that ops have to do between BEGIN and COMMIT. Kinds in this order, ops of one kind in that of arrival."""
    results: dict[int, Any] = {}
    kinds: dict[type, list[tuple[int, Any]]] = {Start: [], Send: [], Append: [], Settle: [], Call: []}
    for i, op in enumerate(ops):
        kinds[type(op)].append((i, op))
    starts, sends, appends, settles, calls = kinds.values()
    await group.put_blobs(p for _, op in starts + appends + settles for p in op.payloads())
    parents = [(i, op) for i, op in appends if op.extras is not None and op.extras.children]
    if starts or parents:
        tenants = {op.tenant for _, op in starts} | {c.tenant for _, op in parents for c in op.extras.children}
        await lock_lanes(group, tenants)
    if starts:
        results.update(zip([i for i, _ in starts], await start_all(group, [op for _, op in starts]), strict=True))
    await group.lock(
        [op.claim.number for _, op in appends + settles],
        [op.claim.number for _, op in settles if getattr(op.end, "notice", b"")],
        [op.claim.number for _, op in settles if op.orphans],
        [op.run_id for _, op in sends],
    )
    await lock_accounts(group, [op for _, op in appends])
    for i, op in sends:
        results[i] = send(group, op)
    for i, op in appends:
        results[i] = append(group, op)
    fresh = [(child, op.claim.number) for i, op in parents if results[i] is None for child in op.extras.children]
    if len(await insert_runs(group, fresh)) < len(fresh):
        raise StoreError("a child was not started", why="its key belongs to another run")
    results.update(zip([i for i, _ in settles], settle_all(group, [op for _, op in settles]), strict=True))
    await group.write()
    for i, op in calls:
        results[i] = await _called(group.db, op)
    return [results[i] for i in range(len(ops))]


async def _called(db: Any, op: Call) -> Any:
    await db.execute("SAVEPOINT call")
    try:
        result = await op.fn(db)
    except DRIVER:
        raise
    except Exception as refusal:
        await db.execute("ROLLBACK TO SAVEPOINT call")
        return refusal
    await db.execute("RELEASE SAVEPOINT call")
    return result


async def _undo(db: Any) -> None:
    if not gone(db) and db.is_in_transaction():
        with contextlib.suppress(*DRIVER):
            await db.execute("ROLLBACK")


async def _pause(attempt: int) -> None:
    await asyncio.sleep(_PAUSE * (attempt + 1) * random.uniform(0.3, 1.0))  # noqa: S311 - only to spread the attempts
