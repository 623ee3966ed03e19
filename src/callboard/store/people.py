"""People who log in, and for how long they stay."""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from callboard.domain.principal import Grant


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a password. `login` is unique over all tenants; `password` is an Argon2 hash in PHC form."""

    login: str
    tenant: str
    name: str
    password: str
    grants: tuple[Grant, ...]
    created_at: float
    created_by: str
    disabled_at: float | None = None


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is logged in to the console.

    Attributes:
        mac: a keyed digest of what the cookie carries.
        tenant: whose it is.
        kind: whether a person, a key or a token logged in, as callboard.domain.principal.Kind says it.
        subject: the person's log-in, the key's id, or the token's subject.
        name: how the subject is shown.
        grants: what a token granted; empty for people and keys, whose grants are looked up each time.
    """

    mac: bytes
    tenant: str
    kind: str
    subject: str
    name: str
    grants: tuple[Grant, ...] = ()
    created_at: float
    expires_at: float


class People(Protocol):
    """Rows of people and of their log-ins."""

    def put(self, person: Person) -> Awaitable[None]:
        """Keeps somebody, in place of what was kept under that log-in in that tenant before.

        Raises Conflict when another tenant has somebody of that log-in.
        """
        ...

    async def find(self, login: str) -> Person | None:
        """Somebody by the log-in that was given; the tenant is only known afterwards."""
        ...

    async def list(self, tenant: str) -> list[Person]:
        """Everybody of a tenant, by log-in."""
        ...

    def enter(self, login: Login) -> Awaitable[None]:
        """Somebody has logged in."""
        ...

    async def entered(self, mac: bytes) -> Login | None:
        """Who logged in with that cookie."""
        ...

    def leave(self, tenant: str, mac: bytes) -> Awaitable[None]:
        """Somebody has logged out; one who is not there is no error."""
        ...

    def leave_all(self, tenant: str, kind: str, subject: str) -> Awaitable[int]:
        """Ends all log-ins of one subject; returns how many."""
        ...

    def forget(self, before: float) -> Awaitable[int]:
        """Removes log-ins that expired before that time, over all tenants; returns how many."""
        ...
