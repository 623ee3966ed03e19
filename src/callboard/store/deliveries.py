"""Messages to the outside that a run has ended."""

from collections.abc import Awaitable
from enum import StrEnum
from typing import Protocol

import msgspec

from callboard.domain.run import RunStatus


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """That one run has ended, to one address. Times are epoch seconds.

    Attributes:
        id: the same at each attempt, so that a receiver can tell repeats.
        due: when it is tried next, once its run has ended.
        tries: how often it was tried.
        said: what the receiver last answered, or why it was not reached.
    """

    id: str
    tenant: str
    run_id: str
    url: str
    created_at: float
    due: float
    status: DeliveryStatus = DeliveryStatus.PENDING
    tries: int = 0
    said: str = ""


class Due(msgspec.Struct, frozen=True):
    """A delivery to make now, and how its run stands."""

    delivery: Delivery
    flow: str
    status: RunStatus


class Deliveries(Protocol):
    """Rows of deliveries. They go with their run when it is purged, and until they are settled it is not."""

    def add(self, delivery: Delivery) -> Awaitable[None]:
        """Keeps a delivery; one for the same run and address is left as it is."""
        ...

    async def take(self, now: float, lease: float, limit: int) -> list[Due]:
        """Deliveries of all tenants whose runs have ended and that are due; each is due again after `lease` seconds,
        unless it is settled before. For workers.

        One whose run there is none of is FAILED, once it is older than `lease`.
        """
        ...

    def settle(self, tenant: str, delivery_id: str, status: DeliveryStatus, due: float, said: str) -> Awaitable[None]:
        """What came of a try: its count grows by one. A delivery that was settled before is left as it is."""
        ...

    async def find(
        self, tenant: str, *, run_id: str | None = None, status: DeliveryStatus | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries, newest first."""
        ...
