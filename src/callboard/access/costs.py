"""What runs cost, as far as somebody may see it."""

from collections.abc import Callable, Sequence
from typing import Any

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.policy.access import Action
from callboard.store.runs import Cost


class DeskCosts:
    """Sums over the runs of one tenant, or of several in which the principal may see them. Money in dollars."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._house = house
        self._guard = guard

    async def rows(self, since: float, *, tenant: str | None = None) -> list[Cost]:
        """What runs cost that ended since (epoch seconds), by day and flow. Raises Denied."""
        owner = tenant or self._guard.tenant
        self._guard.check(Action.COSTS_READ, tenant=owner)
        seen = self._seen(owner)
        return [cost for cost in await self._house.services.store.runs.costs(owner, since) if seen(cost.flow)]

    async def by_rows(self, since: float, by: str, *, tenants: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Sums by `flow`, `day` or `tenant`, see Costs.by_rows; of the desk's tenant where none is named. Raises
        Denied."""
        owners = self._owners(tenants)
        return await self._house.costs.by_rows(owners, since, by, lambda tenant, flow: self._seen(tenant)(flow))

    async def by_journals(
        self, since: float, by: str, limit: int, *, tenants: Sequence[str] = ()
    ) -> tuple[list[dict[str, Any]], bool]:
        """Sums by `model` or `agent`, and whether there was more to read; see Costs.by_journals. Raises Denied."""
        owners = self._owners(tenants)
        seen = self._seen
        return await self._house.costs.by_journals(owners, since, by, limit, lambda tenant, flow: seen(tenant)(flow))

    def _owners(self, tenants: Sequence[str]) -> Sequence[str]:
        for tenant in tenants:
            self._guard.check(Action.COSTS_READ, tenant=tenant)
        self._guard.check(Action.COSTS_READ)
        return tenants or (self._guard.tenant,)

    def _seen(self, tenant: str) -> Callable[[str], bool]:
        return lambda flow: self._guard.may(Action.COSTS_READ, flow, tenant=tenant)
