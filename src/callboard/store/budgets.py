"""Accounts that calls are charged to, and the limits that operators set on them.

What an account holds is changed in the transactions of events alone, see callboard.store.journal.Hold.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from callboard.domain.budget import Balance, Bound


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator allows; one for each tenant, scope, name and period.

    What scopes, names and periods there are is the policy's matter; here they are text.

    Attributes:
        tenant: whose.
        scope: what it is about: `tenant`, `agent` ...
        name: which of these.
        period: over which time it counts.
        bound: the most.
        warn: shares of the bound at which somebody is warned.
        by: who set it.
        at: when, in epoch seconds.
    """

    tenant: str
    scope: str
    name: str
    period: str
    bound: Bound
    warn: tuple[float, ...] = ()
    by: str = ""
    at: float = 0.0


class Budgets(Protocol):
    """Reads accounts, keeps limits. On PostgreSQL a door reads those of its tenant; workers alone set limits."""

    async def balances(self, tenant: str, accounts: Sequence[str]) -> dict[str, Balance]:
        """What these accounts hold, each of them; nothing where none of it was ever charged."""
        ...

    async def accounts(self, tenant: str, *, prefix: str = "", limit: int = 100, after: str = "") -> dict[str, Balance]:
        """A page of a tenant's accounts by name, those that begin with `prefix`; `after` is the last name of the
        page before."""
        ...

    async def put(self, limit: Limit) -> None:
        """Sets a limit, in place of the one before it."""
        ...

    async def remove(self, tenant: str, scope: str, name: str, period: str) -> bool:
        """Lifts it; False when there was none."""
        ...

    async def limits(self) -> list[Limit]:
        """All limits of all tenants, by tenant, scope, name and period. A door sees its tenant's none: for workers."""
        ...

    async def sweep(self) -> int:
        """Charges in full what runs still hold that have ended, died or are blocked: nobody else will settle it.

        For workers. Returns how many holds that were; at most a thousand runs are looked at in one go.
        """
        ...
