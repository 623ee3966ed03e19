"""The fleet at a desk: workers, queue, upstreams; pauses and limits."""

from typing import Any

import msgspec

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.agents.dependencies import Dependency
from callboard.domain.errors import InputInvalid
from callboard.domain.principal import EVERY
from callboard.domain.run import RunStatus
from callboard.policy.access import Action
from callboard.store.claims import Backlog, WorkerInfo
from callboard.store.controls import Control, Scope


class DeskFleet:
    """What one principal may see of the fleet, and hold back in it.

    Workers, upstreams, and pauses of flows and tools belong to all tenants: who may see the fleet sees them, and it
    takes a grant for every tenant to change them. The queue is shown of the desk's tenant, or of all to who may see
    all.
    """

    def __init__(self, house: House, guard: Guard) -> None:
        self._house = house
        self._guard = guard
        self._store = house.services.store

    async def workers(self) -> list[WorkerInfo]:
        """Workers that live, and those that died and were not yet taken over from. Raises Denied."""
        self._guard.check(Action.FLEET_READ)
        return await self._store.claims.workers()

    async def backlog(self) -> Backlog:
        """How much there is to execute: over all tenants for who may see all, else of the desk's, without the age of
        the oldest. Raises Denied."""
        self._guard.check_all(Action.FLEET_READ)
        if self._guard.may(Action.FLEET_READ, tenant=EVERY):
            return await self._store.claims.backlog()
        counts = await self._store.runs.counts(self._guard.tenant)
        ready = counts.get(RunStatus.READY, 0)
        running, waiting = counts.get(RunStatus.RUNNING, 0), counts.get(RunStatus.WAITING, 0)
        return Backlog(ready, running, waiting, None, {self._guard.tenant: ready} if ready else {})

    async def controls(self) -> list[Control]:
        """What is paused or limited; of other tenants nothing, for who may not see all. Raises Denied."""
        self._guard.check(Action.FLEET_READ)
        every = self._guard.may(Action.FLEET_READ, tenant=EVERY)
        found = await self._store.controls.all()
        return [each for each in found if every or each.scope is not Scope.TENANT or each.name == self._guard.tenant]

    async def upstreams(self) -> list[Dependency]:
        """What the app depends on, and how it stands. Raises Denied."""
        self._guard.check(Action.FLEET_READ)
        return await self._house.upstreams.all()

    async def metrics_allowed(self) -> None:
        """Raises Denied for who may not see the metrics, which are those of all tenants."""
        self._guard.check(Action.FLEET_READ, tenant=EVERY)

    def may_control(self, scope: Scope | None = None, name: str = "") -> bool:
        """Whether the principal may hold this back; without a scope, an upstream or a flow."""
        return self._guard.may(Action.FLEET_CONTROL, tenant=self._owner(scope, name))

    async def pause(self, scope: Scope, name: str) -> Control:
        """Begins nothing more of a tenant, a flow or a tool. Raises Denied, InputInvalid."""
        return await self._control("fleet:pause", scope, name, {"paused": True})

    async def resume(self, scope: Scope, name: str) -> Control:
        """Lifts a pause. Raises Denied, InputInvalid."""
        return await self._control("fleet:resume", scope, name, {"paused": False})

    async def limit(self, scope: Scope, name: str, running: int | None) -> Control:
        """Executes at most so many runs of a tenant or a flow at a time; None for any number. Raises Denied,
        InputInvalid."""
        if scope is Scope.TOOL:
            raise InputInvalid("a tool has no number of runs", remedy="limit its flow, or pause the tool")
        if running is not None and running < 1:
            raise InputInvalid(f"running={running!r} is no whole number above 0", remedy="pause it in place of 0")
        return await self._control("fleet:limit", scope, name, {"running": running})

    async def reset(self, upstream: str) -> dict[str, Any]:
        """Closes an upstream's breaker by hand; how it stood before. Raises Denied, NotFound, StoreError."""
        async with self._guard.deed(
            "fleet:reset", f"upstream:{upstream}", needs=Action.FLEET_CONTROL, tenant=self._owner(None, "")
        ):
            return await self._house.upstreams.reset(upstream)

    async def _control(self, action: str, scope: Scope, name: str, change: dict[str, Any]) -> Control:
        if not name or not name.isprintable():
            raise InputInvalid("the name is empty, or holds what no name has", remedy=f"name the {scope}")
        known = {(each.scope, each.name): each for each in await self._store.controls.all()}
        before = known.get((scope, name), Control(scope=scope, name=name))
        who, now = self._guard.principal.name, self._house.services.clock.now()
        after = msgspec.structs.replace(before, by=who, at=now, **change)
        stood = {field: getattr(before, field) for field in ("paused", "running", "by")}
        async with self._guard.deed(
            action,
            f"{scope}:{name}",
            needs=Action.FLEET_CONTROL,
            tenant=self._owner(scope, name),
            before=stood,
            after=change,
        ):
            if after.paused or after.running is not None:
                await self._store.controls.put(after)
            else:
                await self._store.controls.remove(scope, name)
            return after

    def _owner(self, scope: Scope | None, name: str) -> str:
        return name if scope is Scope.TENANT else EVERY
