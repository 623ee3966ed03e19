"""Keys of programs: what is kept of them is never enough to use them."""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from callboard.domain.principal import Grant


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key. Times are epoch seconds.

    Attributes:
        id: the public part, unique over all tenants; the key itself carries it.
        tenant: to which it belongs.
        name: what it is for.
        mac: a keyed digest of the secret part.
        grants: what it may do.
        created_by: who made it.
        expires_at: when it ends by itself.
        revoked_at: when somebody ended it.
        used_at: when it was last used, to within a minute.
        replaces: the id of the key in whose place it was made.
    """

    id: str
    tenant: str
    name: str
    mac: bytes
    grants: tuple[Grant, ...]
    created_at: float
    created_by: str
    expires_at: float | None = None
    revoked_at: float | None = None
    used_at: float | None = None
    replaces: str | None = None


class Keys(Protocol):
    """Rows of keys."""

    def add(self, key: Key) -> Awaitable[None]:
        """Keeps a new key. Raises Conflict when there is one with that id."""
        ...

    async def find(self, key_id: str) -> Key | None:
        """A key by the id that somebody presents; the tenant is only known afterwards."""
        ...

    async def list(self, tenant: str) -> list[Key]:
        """All keys of a tenant, revoked ones too, newest first."""
        ...

    def expire(self, tenant: str, key_id: str, at: float) -> Awaitable[Key]:
        """Lets a key end at that time at the latest. Raises NotFound."""
        ...

    def revoke(self, tenant: str, key_id: str, at: float) -> Awaitable[Key]:
        """Ends a key; one that was ended before keeps its time. Raises NotFound."""
        ...

    def used(self, tenant: str, key_id: str, at: float) -> Awaitable[None]:
        """Notes that a key was used."""
        ...

    async def any(self) -> bool:
        """Whether any tenant has a key or a person: if not, nobody can come in by a door yet."""
        ...
