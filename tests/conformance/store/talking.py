"""Conversations and deliveries as the suite's stories have them."""

from typing import Any

from callboard.domain.run import RunStatus
from callboard.store.deliveries import Delivery
from callboard.store.sessions import Session
from callboard.store.store import Store
from tests.conformance.store.play import T0, TENANT, ended, new_run

URL = "https://x.example/päth?q='--"


def session(**changes: Any) -> Session:
    values: dict[str, Any] = {"id": "talk", "tenant": TENANT, "flow": "order", "created_at": T0, "updated_at": T0}
    return Session(**values | changes)


async def told(store: Store, status: RunStatus = RunStatus.SUCCEEDED, **changes: Any) -> Delivery:
    """A run that has ended, and what is to be told of that."""
    run_id = await ended(store, status, **{"webhook": URL} | changes)
    [delivery] = await store.deliveries.find(changes.get("tenant", TENANT), run_id=run_id)
    return delivery


async def also(store: Store, key: str, url: str, **changes: Any) -> None:
    """The same start again, with another address."""
    await store.runs.start(new_run(key=key, webhook=url, **changes))
