"""A user's rows and a run's event in one transaction."""

import asyncio
import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from callboard.domain.errors import FlowMisuse, LeaseLost, StoreError
from callboard.domain.event import Event
from callboard.store.claims import Claim
from callboard.store.sqlite.appends import holds, lost, row, write_rows

_STEPS = 10_000  # of SQLite's virtual machine between two looks at the clock
_CONTROL = (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT, apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH)
_WRITES = (
    apsw.SQLITE_INSERT,
    apsw.SQLITE_UPDATE,
    apsw.SQLITE_DELETE,
    apsw.SQLITE_DROP_TABLE,
    apsw.SQLITE_ALTER_TABLE,
)
_OURS = frozenset(
    {"runs", "events", "inbox", "approvals", "blobs", "workers", "meta", "lanes", "controls", "schedules"}
    | {"run_costs"}
    | {f"counter_{what}" for what in ("rates", "places", "values", "windows")}
    | {"budget_accounts", "budget_holds", "budget_limits", "cached_answers"}
    | {"access_keys", "access_people", "access_logins", "access_audit"}
    | {"chat_sessions", "chat_turns", "webhook_deliveries", "webhook_signing"}
)


class Raised:
    """What the user's function raised, with the event that says so already written."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Transact:
    """An op that calls a function with the connection and appends the event that tells how it went."""

    rank = 3
    __slots__ = ("begins", "claim", "do", "event", "future", "limit")

    def __init__(
        self, claim: Claim, seq: int, do: Callable[[Any], Any], event: Callable[[Any], Event], limit: float
    ) -> None:
        self.claim, self.begins, self.do, self.event, self.limit = claim, seq, do, event, limit
        self.future: asyncio.Future[Any]

    @staticmethod
    def apply(db: apsw.Connection, ops: "Sequence[Transact]") -> list[Any]:
        """One after the other, each in a savepoint that only its own failure undoes."""
        return [_apply(db, op) for op in ops]


def _apply(db: apsw.Connection, op: Transact) -> Any:
    if not holds(db, op.claim):
        return lost(op.claim)
    result: Any
    try:
        with db:
            result = _guarded(db, op)
            event = op.event(result)
    except (LeaseLost, apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.ReadOnlyError):
        raise
    except Exception as error:
        event, result = op.event(error), Raised(error)
    if write_rows(db, [row(db, op.claim, event)]) != 1:
        raise StoreError(f"run {op.claim.run_id}: its event was not written", why="the claim was lost in between")
    return result


def _guarded(db: apsw.Connection, op: Transact) -> Any:
    """Calls the user's function; it may neither end the transaction nor write what is Callboard's."""
    deadline = time.monotonic() + op.limit
    db.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    db.authorizer = _allowed
    try:
        result = op.do(db)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise FlowMisuse(
                "the function of ctx.transaction is asynchronous",
                why="on SQLite it runs on the writing thread, while everybody else waits",
                remedy="use a plain function here; on PostgreSQL it may be asynchronous",
            )
        return result
    finally:
        db.authorizer = None
        db.set_progress_handler(None)


def _allowed(action: int, first: str | None, *_: object) -> int:
    if action in _CONTROL or (action in _WRITES and first in _OURS):
        return apsw.SQLITE_DENY
    return apsw.SQLITE_OK
