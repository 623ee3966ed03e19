"""What a story has happen behind the browser's back: runs that programs start, keys and people that an admin adds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.browser.served import Served

CLAIM = {
    "order_id": "#W7841025",
    "item_ids": ["7040455469", "7040455469"],
    "payment_method_id": "paypal_4688317",
    "reason": "both stoves leak",
}
_PATIENCE = 60.0


@contextmanager
def api(served: Served, key: str = "") -> Iterator[httpx2.Client]:
    """The API, as the admin of the first start or with another key."""
    with httpx2.Client(
        base_url=served.address, headers={"Authorization": f"Bearer {key or served.key}"}, timeout=30.0
    ) as client:
        yield client


def start(served: Served, flow: str, given: object, key: str = "", **labels: str) -> str:
    """Starts a run and returns its id."""
    with api(served, key) as client:
        answer = client.post("/v1/runs", json={"flow": flow, "input": given, "labels": labels})
        assert answer.status_code in (200, 201, 202), answer.text
        return str(answer.json()["id"])


def until(served: Served, run_id: str, status: str) -> dict[str, Any]:
    """Waits until a run stands so, and returns it."""
    with api(served) as client:
        return _until(lambda: client.get(f"/v1/runs/{run_id}").json(), lambda run: run["status"] == status)


def question(served: Served, run_id: str) -> str:
    """The id of the question that a run waits for."""
    until(served, run_id, "waiting")
    with api(served) as client:
        found = client.get("/v1/approvals", params={"run_id": run_id}).json()["items"]
    assert len(found) == 1, found
    return str(found[0]["id"])


def outcome(served: Served, run_id: str) -> Any:
    """What a run came to."""
    with api(served) as client:
        return client.get(f"/v1/runs/{run_id}/result", params={"wait": 10}).json()


def make_key(served: Served, name: str, role: str = "admin") -> str:
    """The text of a new key."""
    with api(served) as client:
        answer = client.post("/v1/keys", json={"name": name, "grants": [{"role": role}]})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["text"])


def add_person(served: Served, login: str, name: str, password: str, role: str = "admin") -> None:
    """Somebody who can log in; it is no matter if they could before."""
    with api(served) as client:
        body = {"login": login, "name": name, "password": password, "grants": [{"role": role}]}
        answer = client.post("/v1/people", json=body)
        assert answer.status_code in (201, 409), answer.text


def _until(look: Callable[[], dict[str, Any]], done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    end = time.monotonic() + _PATIENCE
    while not done(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found
