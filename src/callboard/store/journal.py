"""The journal: append-only rows, each checked against its run's epoch."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec

from callboard.domain.event import Event
from callboard.domain.usage import Usage
from callboard.store.approvals import NewApproval
from callboard.store.claims import Claim
from callboard.store.runs import NewRun


class Extras(msgspec.Struct, frozen=True):
    """What is written together with events, in the same transaction, or not at all.

    Attributes:
        consumed: numbers of the inbox letters that the events answer; they are deleted.
        children: runs to start.
        asks: approvals to open.
        labels: labels to set on the run.
        spent: usage to add to the run's.
    """

    consumed: tuple[int, ...] = ()
    children: tuple[NewRun, ...] = ()
    asks: tuple[NewApproval, ...] = ()
    labels: dict[str, str] | None = None
    spent: Usage | None = None

    @property
    def only_children(self) -> bool:
        """True when there is nothing but children to start."""
        return bool(self.children) and not (self.consumed or self.asks or self.labels or self.spent)


class Journal(Protocol):
    """Appends and reads events. An append is durable when its awaitable returns."""

    def append(self, claim: Claim, events: Sequence[Event], extras: Extras | None = None) -> Awaitable[None]:
        """Appends a run's next events; the call itself queues them, so that order is the order of calls.

        Raises LeaseLost when the claim's epoch is no longer the run's, another StoreError when nothing could
        be written. All of it is written, or nothing.
        """
        ...

    async def read(self, tenant: str, run_id: str, *, after: int = -1, limit: int = 100_000) -> list[Event]:
        """The run's events with a seq above `after`, in order, ancestors of a fork included.

        Raises NotFound when the tenant has no such run.
        """
        ...
