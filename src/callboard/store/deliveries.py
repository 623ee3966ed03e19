"""Messages to the outside that a run has ended."""

from collections.abc import Awaitable
from enum import StrEnum
from typing import Protocol

import msgspec

from callboard.domain.ids import derived
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
        ending: which end of the run it tells, counted from 1: one that is requeued ends again, and that is told by
            another delivery.
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
    ending: int = 1


class Due(msgspec.Struct, frozen=True):
    """A delivery to make now, and how its run stands."""

    delivery: Delivery
    flow: str
    status: RunStatus


class Signing(msgspec.Struct, frozen=True):
    """With which of its secrets a tenant's messages are signed.

    Attributes:
        generation: counts from 1, one more with each rotation.
        before_until: as long as they are signed with the one before as well; epoch seconds.
    """

    generation: int = 1
    before_until: float = 0.0


class Deliveries(Protocol):
    """Rows of deliveries. Starts and requeues of runs make them, see callboard.store.runs.Runs; a purge takes them with
    their run, which it leaves until they are settled."""

    async def take(self, now: float, lease: float, limit: int) -> list[Due]:
        """Deliveries of all tenants whose runs have ended and that are due; each is due again after `lease` seconds,
        unless it is settled before. For workers.

        One that tells of an end before a requeue is FAILED instead.
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

    async def signing(self, tenant: str) -> Signing:
        """With what the tenant's messages are signed."""
        ...

    def rotate(self, tenant: str, before_until: float) -> Awaitable[Signing]:
        """From now on with the next secret, and until then with the one before as well (epoch seconds)."""
        ...


def asked_for(tenant: str, run_id: str, url: str, at: float, ending: int = 1) -> Delivery:
    """What is to be told of a run's end, the first or a later one. A store keeps the first that is asked for."""
    return Delivery(
        id=derived(at, "delivery", tenant, run_id, url, str(ending)),
        tenant=tenant,
        run_id=run_id,
        url=url,
        created_at=at,
        due=at,
        ending=ending,
    )
