"""Who did what to what: rows that are only ever appended, each sealed with the one before it."""

import hashlib
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from callboard.domain.errors import InputInvalid

FIRST = b"\0" * 32  # what the first entry of a tenant is sealed with
LARGEST = 256 * 1024  # bytes of one deed
_END = "\U0010ffff"  # sorts behind every text that goes on from the same beginning


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done, or was tried.

    Attributes:
        at: when, in epoch seconds.
        actor: who, as Principal.who says it.
        name: who, as people know it.
        action: what, such as `runs:cancel`, `keys:create`, `login`.
        object: to what, such as `run:01j...` or `key:9f3a`.
        source: from where: an address, or `cli`.
        before: what was there, JSON-like; None where that says nothing.
        after: what was there then, or was asked for.
        outcome: `done`, `denied`, or the code of the error that prevented it.
    """

    at: float
    actor: str
    name: str
    action: str
    object: str
    source: str
    before: Any = None
    after: Any = None
    outcome: str = "done"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A deed at its place in its tenant's chain. `number` counts from 1 without a gap."""

    tenant: str
    number: int
    deed: Deed
    seal: bytes


def seal(previous: bytes, tenant: str, number: int, deed: bytes) -> bytes:
    """SHA-256 over the seal before, the place, and the deed as its row keeps it."""
    head = f"{tenant}\0{number}\0".encode()
    return hashlib.sha256(previous + len(head).to_bytes(4) + head + deed).digest()


def kept(deed: Deed) -> bytes:
    """A deed as its row keeps it: JSON. Raises InputInvalid for what is no JSON, and beyond `LARGEST` bytes."""
    plain = {name: getattr(deed, name).replace("\0", "\ufffd") for name in ("actor", "action", "object")}
    try:
        body = msgspec.json.encode(msgspec.structs.replace(deed, **plain))
    except (TypeError, UnicodeEncodeError) as error:
        raise InputInvalid(f"the deed {deed.action} cannot be recorded", why=str(error)) from error
    if len(body) > LARGEST:
        raise InputInvalid(
            f"the deed {deed.action} has {len(body):,} bytes, of which {LARGEST:,} can be recorded",
            remedy="send less at once",
        )
    return body


def columns(deed: Deed) -> tuple[float, str, str, str]:
    """What its row repeats of a deed, so that it can be found: time, actor, action, object."""
    return deed.at, deed.actor, deed.action, deed.object


def next_entry(tenant: str, head: Sequence[Any] | None, body: bytes) -> Entry:
    """The entry that comes behind `head`, the (number, seal) of a tenant's last; None when there is none."""
    number, before = head or (0, FIRST)
    return Entry(
        tenant=tenant,
        number=number + 1,
        deed=msgspec.json.decode(body, type=Deed),
        seal=seal(before, tenant, number + 1, body),
    )


def entry_from(tenant: str, row: Sequence[Any]) -> Entry:
    """An entry from its columns: number, time, actor, action, object, deed, seal.

    Somebody may have tampered with it: what the columns say stands in it as they say it, and a deed that cannot be
    read has the outcome `unreadable`. `broken` notices both.
    """
    number, at, actor, action, about, body, sealed = row
    deed = _read(body) or Deed(at=at, actor="", name="", action="", object="", source="", outcome="unreadable")
    deed = msgspec.structs.replace(deed, at=at, actor=actor, action=action, object=about)
    return Entry(tenant=tenant, number=number, deed=deed, seal=sealed)


def broken(entries: Iterable[tuple[Entry, bytes]], last: Entry | None = None) -> int | None:
    """The number at which a tenant's chain is not as it was sealed: changed, or missing. None if it is whole.

    Args:
        entries: what `Audit.read` gives, in its order.
        last: the entry before the first of them, which was looked at already; None for the chain's beginning.

    Entries that were taken from the end leave no gap: only who noted the last number and its seal elsewhere sees it.
    """
    number, before = (0, FIRST) if last is None else (last.number, last.seal)
    for entry, body in entries:
        number += 1
        if entry.number != number:
            return number
        if entry.seal != seal(before, entry.tenant, number, body) or entry.deed != _read(body):
            return number
        before = entry.seal
    return None


def reach(action: str | None) -> tuple[str | None, str | None]:
    """The first and the last action that a pattern means: one action, or with a `*` at its end all that begin so."""
    if action is None or not action.endswith("*"):
        return action, action
    return action[:-1], action[:-1] + _END


def _read(body: bytes) -> Deed | None:
    try:
        return msgspec.json.decode(body, type=Deed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Audit(Protocol):
    """The chains of all tenants. There is no method that changes or removes an entry, and the database refuses both."""

    def append(self, tenant: str, deed: Deed) -> Awaitable[Entry]:
        """Appends to the tenant's chain, one writer at a time. Raises InputInvalid as `kept` does."""
        ...

    async def find(
        self,
        tenant: str,
        *,
        actor: str | None = None,
        action: str | None = None,
        object: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Entries, newest first. `action` may end in `*`; `before` is the last number of the page before."""
        ...

    async def read(self, tenant: str, *, after: int = 0, limit: int = 1_000) -> list[tuple[Entry, bytes]]:
        """Entries from the oldest on, each with its deed as its row keeps it, for who verifies the chain."""
        ...

    async def tenants(self) -> list[str]:
        """Tenants that have a chain, for workers: a door, which sees one tenant at a time, is told of none."""
        ...
