"""The words for stories about who comes in and what they did: key, person, login, deed."""

from typing import Any

from callboard.domain.principal import Grant, Role
from callboard.store.audit import Deed
from callboard.store.keys import Key
from callboard.store.people import Login, Person
from tests.conformance.store.play import T0, TENANT

GRANTS = (
    Grant(Role.ADMIN),
    Grant(Role.OPERATOR, TENANT, ("order", "näïve 🎭 *"), ("runs:read", "runs:start")),
    Grant(Role.VIEWER, "'--", (), ()),
)
MAC = bytes(range(32))


def key(**changes: Any) -> Key:
    values: dict[str, Any] = {
        "id": "9f3a",
        "tenant": TENANT,
        "name": "nightly import",
        "mac": MAC,
        "grants": GRANTS,
        "created_at": T0,
        "created_by": "person:mia",
    }
    return Key(**values | changes)


def person(**changes: Any) -> Person:
    values: dict[str, Any] = {
        "login": "mia",
        "tenant": TENANT,
        "name": "Mia",
        "password": "$argon2id$v=19$m=1$c2FsdA$aGFzaA",
        "grants": GRANTS,
        "created_at": T0,
        "created_by": "key:9f3a",
    }
    return Person(**values | changes)


def login(**changes: Any) -> Login:
    values: dict[str, Any] = {
        "mac": MAC,
        "tenant": TENANT,
        "kind": "person",
        "subject": "mia",
        "name": "Mia",
        "created_at": T0,
        "expires_at": T0 + 60,
    }
    return Login(**values | changes)


def deed(n: int = 0, **changes: Any) -> Deed:
    values: dict[str, Any] = {
        "at": T0 + n,
        "actor": "person:mia",
        "name": "Mia",
        "action": "runs:cancel",
        "object": f"run:{n}",
        "source": "10.0.0.1",
    }
    return Deed(**values | changes)
