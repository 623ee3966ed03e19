"""Rows of keys, people and log-ins as structs: both databases select the same columns."""

from collections.abc import Sequence
from typing import Any

import msgspec

from callboard.domain.errors import NotFound, StoreCorrupt
from callboard.domain.principal import Grant
from callboard.store.keys import Key
from callboard.store.people import Login, Person

_grants = msgspec.json.Decoder(tuple[Grant, ...])


def key_from(row: Sequence[Any]) -> Key:
    """A key from its columns, in the order of `Key`."""
    key_id, tenant, name, mac, grants, created, by, expires, revoked, used, replaces = row
    return Key(
        id=key_id,
        tenant=tenant,
        name=name,
        mac=mac,
        grants=_grants_from(f"key {key_id}", grants),
        created_at=created,
        created_by=by,
        expires_at=expires,
        revoked_at=revoked,
        used_at=used,
        replaces=replaces,
    )


def key_row(key: Key) -> tuple[Any, ...]:
    """The columns of a key."""
    return (
        *(key.id, key.tenant, key.name, key.mac, _grants_text(key.grants), key.created_at, key.created_by),
        *(key.expires_at, key.revoked_at, key.used_at, key.replaces),
    )


def person_from(row: Sequence[Any]) -> Person:
    """Somebody from the columns, in the order of `Person`."""
    login, tenant, name, password, grants, created, by, disabled = row
    return Person(
        login=login,
        tenant=tenant,
        name=name,
        password=password,
        grants=_grants_from(f"person {login}", grants),
        created_at=created,
        created_by=by,
        disabled_at=disabled,
    )


def person_row(person: Person) -> tuple[Any, ...]:
    """The columns of somebody."""
    p = person
    return p.login, p.tenant, p.name, p.password, _grants_text(p.grants), p.created_at, p.created_by, p.disabled_at


def login_from(row: Sequence[Any]) -> Login:
    """A log-in from its columns, in the order of `Login`."""
    mac, tenant, kind, subject, name, grants, created, expires = row
    return Login(
        mac=mac,
        tenant=tenant,
        kind=kind,
        subject=subject,
        name=name,
        grants=_grants_from(f"log-in of {kind}:{subject}", grants),
        created_at=created,
        expires_at=expires,
    )


def login_row(login: Login) -> tuple[Any, ...]:
    """The columns of a log-in."""
    n = login
    return n.mac, n.tenant, n.kind, n.subject, n.name, _grants_text(n.grants), n.created_at, n.expires_at


def no_key(key_id: str) -> NotFound:
    """The error for an id that this tenant does not have."""
    return NotFound(f"no key {key_id!r}", remedy="the list of keys shows the ids")


def _grants_text(grants: tuple[Grant, ...]) -> str:
    return msgspec.json.encode(grants).decode()


def _grants_from(whose: str, text: str) -> tuple[Grant, ...]:
    """Nothing is granted by what cannot be read."""
    try:
        return _grants.decode(text)
    except msgspec.DecodeError as error:
        raise StoreCorrupt(
            f"what is granted to {whose} cannot be read",
            why=str(error),
            remedy="a later version may have written it: install that, or grant it anew",
        ) from error
