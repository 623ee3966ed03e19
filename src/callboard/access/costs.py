"""What runs cost, as far as somebody may see it."""

from collections.abc import Sequence

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.agents.costs import TENANTS, Sums
from callboard.domain.principal import EVERY
from callboard.policy.access import Action, tenants_of


class DeskCosts:
    """Sums over the runs of one tenant, or of several in which the principal may see them."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._house = house
        self._guard = guard

    async def sums(self, since: float, by: str, *, tenants: Sequence[str] = ()) -> Sums:
        """What runs cost that ended since (epoch seconds) or go on, see Costs.sums: of the desk's tenant where none is
        named; by `tenant`, of all in which the principal may see it. Raises Denied, InputInvalid."""
        self._guard.check(Action.COSTS_READ)
        for tenant in tenants:
            self._guard.check(Action.COSTS_READ, tenant=tenant)
        owners = tenants or (await self.tenants() if by == "tenant" else (self._guard.tenant,))
        now = self._house.services.clock.now()
        return await self._house.costs.sums(owners, since, now, by, self._seen)

    async def tenants(self) -> list[str]:
        """The tenants whose costs the principal may see, the desk's among them. Raises Denied."""
        self._guard.check(Action.COSTS_READ)
        named = tenants_of(self._guard.principal, Action.COSTS_READ)
        found = await self._house.costs.tenants() if EVERY in named else [each for each in named if each != EVERY]
        return sorted({self._guard.tenant, *found[:TENANTS]})

    def _seen(self, tenant: str, flow: str) -> bool:
        return self._guard.may(Action.COSTS_READ, flow, tenant=tenant)
