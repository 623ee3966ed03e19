"""Conversations and deliveries as the suite's stories have them."""

from typing import Any

from callboard.store.deliveries import Delivery
from callboard.store.sessions import Session
from tests.conformance.store.play import T0, TENANT, new_id


def session(**changes: Any) -> Session:
    values: dict[str, Any] = {"id": "talk", "tenant": TENANT, "flow": "order", "created_at": T0, "updated_at": T0}
    return Session(**values | changes)


def delivery(run_id: str, **changes: Any) -> Delivery:
    values: dict[str, Any] = {"id": new_id(), "tenant": TENANT, "url": "https://x.example/hook", "created_at": T0}
    return Delivery(**{**values, "run_id": run_id, "due": T0} | changes)
