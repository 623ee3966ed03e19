"""The journal: append-only rows, each checked against its run's epoch."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from callboard.domain.bill import Bill
from callboard.domain.budget import Amount, Charge, Refusal
from callboard.domain.event import Event
from callboard.domain.usage import NOTHING, Usage
from callboard.store.approvals import NewApproval
from callboard.store.claims import Claim
from callboard.store.runs import NewRun


class Isolation(StrEnum):
    """How far a transaction is kept apart from those beside it. On SQLite each is alone."""

    READ_COMMITTED = "read_committed"
    REPEATABLE_READ = "repeatable_read"
    SERIALIZABLE = "serializable"


class Hold(msgspec.Struct, frozen=True):
    """A reservation, made in the transaction of the intent that it belongs to, or refused there.

    Attributes:
        path: the effect. What an earlier attempt at it still holds is charged in full first.
        charges: the accounts, all of them or none.
        amount: how much.
        refused: makes the event to write in place of the intent when an account has no room; called wherever
            the transaction is made, so it must be quick and pure.
    """

    path: str
    charges: tuple[Charge, ...]
    amount: Amount
    refused: Callable[[Event, Refusal], Event]


class Settlement(msgspec.Struct, frozen=True):
    """What an effect really took, in place of what it holds; None for all of that. Nothing happens when it holds
    nothing."""

    path: str
    amount: Amount | None


class Extras(msgspec.Struct, frozen=True):
    """What is written together with events, in the same transaction, or not at all.

    Attributes:
        consumed: numbers of the inbox letters that the events answer; they are deleted.
        children: runs to start.
        asks: approvals to open.
        labels: labels to set on the run.
        spent: usage to add to the run's, for nobody in particular.
        bills: what agents spent at models: the usage of each is added to the run's too.
        hold: what to reserve; when it is refused, the refusal's event is written in place of the append's, and of
            the other extras only `spent` and `bills`.
        settled: what a reservation came to.
    """

    consumed: tuple[int, ...] = ()
    children: tuple[NewRun, ...] = ()
    asks: tuple[NewApproval, ...] = ()
    labels: dict[str, str] | None = None
    spent: Usage | None = None
    hold: Hold | None = None
    settled: Settlement | None = None
    bills: tuple[Bill, ...] = ()

    @property
    def only_children(self) -> bool:
        """True when there is nothing but children to start."""
        return bool(self.children) and not (
            self.consumed or self.asks or self.labels or self.spent or self.bills or self.hold or self.settled
        )


def spending(extras: Extras) -> Usage | None:
    """All that is to be added to the run's usage, None where that is nothing."""
    spent = extras.spent
    for bill in extras.bills:
        if bill.usage is not NOTHING:
            spent = bill.usage if spent is None else spent + bill.usage
    return spent


class Journal(Protocol):
    """Appends and reads events. An append is durable when its awaitable returns."""

    def append(self, claim: Claim, events: Sequence[Event], extras: Extras | None = None) -> Awaitable[Refusal | None]:
        """Appends a run's next events; the call itself queues them, so that order is the order of calls.

        An append with a hold has one event. Returns the refusal when the hold was refused.
        Raises LeaseLost when the claim's epoch is no longer the run's, another StoreError when nothing could
        be written. All of it is written, or nothing.
        """
        ...

    def transact(
        self,
        claim: Claim,
        seq: int,
        do: Callable[[Any], Any],
        event: Callable[[Any], Event],
        *,
        limit: float,
        isolation: Isolation = Isolation.READ_COMMITTED,
    ) -> Awaitable[Any]:
        """Calls `do(connection)` and appends `event(its result)` in the transaction of that connection.

        The event has the number `seq`: its place is in the order of calls, as that of an append; what is
        appended to this run after the call is written after it. When `do` raises, or `event` does because the
        result cannot be stored, its writes are undone, `event` is called with the exception, that event is
        appended alone, and the exception is raised. On PostgreSQL `do` gets an asyncpg connection and is
        awaited; on SQLite it gets an apsw connection, is a plain function and runs on the writing thread.
        Serialization failures and deadlocks are tried again. `limit` is how long all of it may take, in
        seconds: shorter than the lease.

        Returns what `do` returned. Raises what it raised; LeaseLost, and then nothing is written.
        """
        ...

    async def read(
        self, tenant: str, run_id: str, *, after: int = -1, limit: int = 100_000, room: int | None = None
    ) -> list[Event]:
        """The run's events with a seq above `after`, in order, ancestors of a fork included.

        With `room`, none comes after so many bytes of bodies: the last one may go beyond it.

        Raises NotFound when the tenant has no such run.
        """
        ...

    async def last(self, tenant: str, run_id: str) -> int:
        """The seq of the run's last event. Raises NotFound when the tenant has no such run."""
        ...

    async def news(self, tenant: str, after: Mapping[str, int], limit: int) -> dict[str, list[Event]]:
        """Of many runs, by id, the events after each one's seq, in one read: at most `limit` of each, in order.

        A fork's ancestors are included. Runs of which there is nothing new, or which the tenant does not have, are
        left out.
        """
        ...
