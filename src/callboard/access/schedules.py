"""Schedules at a desk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.access.runs import gist
from callboard.domain.chat import is_reference
from callboard.domain.codec import decode
from callboard.domain.errors import InputInvalid, NotFound
from callboard.engine.timetable import Standing
from callboard.policy.access import Action
from callboard.store.schedules import Schedule


class DeskSchedules:
    """What one principal may do with the schedules of one tenant. Who makes one, or makes one due, starts runs by it:
    that takes both rights."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._schedules = house.schedules
        self._guard = guard

    async def list(self) -> "list[Schedule]":
        """Schedules by name, as far as the principal may see their flows. Raises Denied."""
        self._guard.check(Action.FLEET_READ)
        found = await self._schedules.list(tenant=self._guard.tenant)
        return [each for each in found if self._guard.may(Action.FLEET_READ, each.flow)]

    async def get(self, name: str) -> Schedule:
        """One of them. Raises Denied; NotFound, also for what is not the principal's to see."""
        self._guard.check(Action.FLEET_READ)
        found = await self._schedules.get(name, tenant=self._guard.tenant)
        if not self._guard.may(Action.FLEET_READ, found.flow):
            raise NotFound(f"no schedule {name!r}", remedy="callboard schedules list shows the names")
        return found

    async def standing(self, schedule: Schedule) -> Standing:
        """How one that was found here is doing."""
        self._guard.check(Action.FLEET_READ, schedule.flow)
        return await self._schedules.standing(schedule)

    async def put(self, name: str, flow: str, cron: str, **options: Any) -> Schedule:
        """Creates a schedule or changes the one of that name; options as ScheduleCommands.put takes them. Raises
        Denied, InputInvalid."""
        if is_reference(options.get("input")):
            raise InputInvalid("a schedule's input refers to a conversation", remedy="write what is to be said")
        try:
            before: dict[str, Any] | None = _facts(await self._schedules.get(name, tenant=self._guard.tenant))
        except NotFound:
            before = None
        said = {key: str(value) for key, value in options.items() if key != "input"}
        after = said | {"flow": flow, "cron": cron, "input": gist(options.get("input"))}
        async with self._deed("put", name, before, after, starts=flow):
            return await self._schedules.put(name, flow, cron, tenant=self._guard.tenant, **options)

    async def pause(self, name: str) -> None:
        """Starts nothing until it is resumed. Raises Denied, NotFound."""
        async with self._deed("pause", name, _facts(await self.get(name))):
            await self._schedules.pause(name, tenant=self._guard.tenant)

    async def resume(self, name: str) -> None:
        """Goes on. Raises Denied, NotFound."""
        found = await self.get(name)
        async with self._deed("resume", name, _facts(found), starts=found.flow):
            await self._schedules.resume(name, tenant=self._guard.tenant)

    async def remove(self, name: str) -> None:
        """Removes a schedule; the runs that it started go on. Raises Denied, NotFound."""
        async with self._deed("remove", name, _facts(await self.get(name))):
            await self._schedules.remove(name, tenant=self._guard.tenant)

    async def trigger(self, name: str) -> Schedule:
        """Makes it due now. Raises Denied, NotFound, Conflict."""
        found = await self.get(name)
        async with self._deed("trigger", name, _facts(found), starts=found.flow):
            return await self._schedules.trigger(name, tenant=self._guard.tenant)

    @asynccontextmanager
    async def _deed(
        self, verb: str, name: str, before: Any, after: Any = None, *, starts: str | None = None
    ) -> AsyncIterator[None]:
        needs = Action.FLEET_CONTROL
        if starts is not None and not self._guard.may(Action.RUNS_START, starts):
            needs = Action.RUNS_START
        async with self._guard.deed(
            f"schedules:{verb}", f"schedule:{name}", needs=needs, flow=starts, before=before, after=after
        ):
            yield


def _facts(schedule: Schedule) -> dict[str, Any]:
    return {
        "flow": schedule.flow,
        "cron": schedule.cron,
        "zone": schedule.zone,
        "paused": schedule.paused,
        "input": gist(decode(schedule.input)),
    }
