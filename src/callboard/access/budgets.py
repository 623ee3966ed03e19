"""Budgets at a desk: how they stand, set and lifted."""

from typing import Any

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.domain.principal import EVERY
from callboard.policy.access import Action
from callboard.policy.budget import Scope


class DeskBudgets:
    """What one principal may do with the budgets of one tenant, or of every tenant where its grant is for every one."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._house = house
        self._guard = guard

    async def standings(self, limit: int = 50) -> list[dict[str, Any]]:
        """The budgets in force with their accounts, the fullest first; see Budgeting.standings. Raises Denied, also
        for who may see the costs of some flows only."""
        self._guard.check_all(Action.COSTS_READ)
        return await self._house.budgets.standings(self._guard.tenant, limit)

    async def set(self, scope: str, name: str, *, everywhere: bool = False, **limits: Any) -> dict[str, Any]:
        """Sets a limit in place of the one before it; what it is then.

        Args:
            scope, name, limits: as Budgeting.set takes them.
            everywhere: every tenant's, not only the desk's.

        Raises Denied, InputInvalid.
        """
        whose = EVERY if everywhere else self._guard.tenant
        after = {"tenant": whose, **{name: value for name, value in limits.items() if value is not None}}
        async with self._guard.deed(
            "budgets:set",
            f"budget:{scope}:{name}",
            needs=Action.BUDGETS_WRITE,
            tenant=self._owner(scope, name, whose),
            before=await self._before(scope, name, limits.get("period") or "ever", whose),
            after=after,
        ):
            return await self._house.budgets.set(whose, scope, name, by=self._guard.principal.name, **limits)

    async def remove(self, scope: str, name: str, period: str = "ever", *, everywhere: bool = False) -> dict[str, Any]:
        """Lifts a limit; what it was about. Raises Denied, InputInvalid, NotFound."""
        whose = EVERY if everywhere else self._guard.tenant
        async with self._guard.deed(
            "budgets:remove",
            f"budget:{scope}:{name}",
            needs=Action.BUDGETS_WRITE,
            tenant=self._owner(scope, name, whose),
            before=await self._before(scope, name, period, whose),
        ):
            return await self._house.budgets.remove(whose, scope, name, period)

    def _owner(self, scope: str, name: str, whose: str) -> str:
        """The tenant in which it takes a grant: a budget of a tenant belongs to the one that it names."""
        return name if scope == Scope.TENANT else whose

    async def _before(self, scope: str, name: str, period: str, whose: str) -> dict[str, Any] | None:
        owner = self._owner(scope, name, whose)
        if not self._guard.may(Action.BUDGETS_WRITE, tenant=owner):
            return None
        limits = await self._house.services.store.budgets.limits()
        for limit in limits:
            if (limit.tenant, limit.scope, limit.name, limit.period) == (owner, scope, name, period):
                found = {field: getattr(limit.bound, field) for field in limit.bound.__struct_fields__}
                return {field: value for field, value in found.items() if value is not None} | {"by": limit.by}
        return None
