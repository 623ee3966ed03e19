"""Schedules as people declare and change them: checked, put into the store, paused, triggered."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from callboard.domain.chat import refuse_reference
from callboard.domain.codec import encode
from callboard.domain.errors import Conflict, InputInvalid, NotFound
from callboard.engine.cron import Cron, cron
from callboard.engine.due import GRACE
from callboard.engine.flow import Flow
from callboard.engine.services import Services
from callboard.store.schedules import CatchUp, Overlap, Schedule

T = TypeVar("T", bound=StrEnum)
_LONGEST = 200  # characters of a name


class Standing(StrEnum):
    """How a schedule is doing.

    `waiting`: it is due, and the run before has not ended. `late`: it was due more than a minute ago and nobody
    starts it: no worker that has its flow runs, or the flow no longer takes its input, which their log says.
    """

    SCHEDULED = "scheduled"
    PAUSED = "paused"
    WAITING = "waiting"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule as it is declared, of a flow by its name. `tenant` is None for that of the settings."""

    name: str
    flow: str
    cron: str
    zone: str
    input: bytes
    overlap: Overlap
    catch_up: CatchUp
    tenant: str | None = None

    @staticmethod
    def of(
        name: Any,
        flow: Any,
        expression: str,
        *,
        input: Any = None,
        zone: str = "UTC",
        overlap: Overlap | str = Overlap.SKIP,
        catch_up: CatchUp | str = CatchUp.LAST,
        tenant: Any = None,
    ) -> "Plan":
        """Checks each part; the input too, where the flow is at hand. Raises InputInvalid."""
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST or not name.isprintable() or " " in name:
            raise InputInvalid(
                f"the schedule's name {name!r} is not a text of 1 to {_LONGEST} characters without spaces",
                remedy="choose a name such as daily-report",
            )
        if tenant is not None and (not isinstance(tenant, str) or not tenant):
            raise InputInvalid(
                f"schedule {name}: tenant={tenant!r} is empty", remedy="name the tenant, or leave it out"
            )
        if isinstance(flow, Flow):
            flow.take(input)
        elif not isinstance(flow, str) or not flow:
            raise InputInvalid(f"schedule {name}: {flow!r} names no flow", remedy="name the flow that it starts")
        body = encode(input, f"the input of schedule {name}")
        refuse_reference(body, f"the input of schedule {name}")
        try:
            Cron(expression, zone)
        except InputInvalid as error:
            raise InputInvalid(f"schedule {name}: {error.what}", why=error.why, remedy=error.remedy) from None
        return Plan(
            name,
            flow.name if isinstance(flow, Flow) else flow,
            " ".join(expression.split()),
            zone,
            body,
            _one_of(Overlap, overlap, f"schedule {name}: overlap"),
            _one_of(CatchUp, catch_up, f"schedule {name}: catch_up"),
            tenant,
        )


class ScheduleCommands:
    """What doors and operators do with schedules. `tenant` is whose they are where nothing else says it."""

    def __init__(self, services: Services, tenant: str) -> None:
        self._services = services
        self._tenant = tenant

    async def put(self, name: str, flow: Any, expression: str, **options: Any) -> Schedule:
        """Creates a schedule or changes the one of that name.

        Another flow, cron or zone counts from now on; else what is due next stays. What is paused stays paused.

        Args:
            name: how it is called; a tenant has each name once.
            flow: a flow, an agent, or the name of a flow, which need not be known here.
            expression: cron, of five fields, or six with seconds in front.
            options: input, zone, overlap, catch_up, tenant, as App.schedule takes them.

        Raises InputInvalid, Unencodable, StoreError.
        """
        target = flow if isinstance(flow, Flow | str) else getattr(flow, "flow", flow)
        known = self._services.find(target) if isinstance(target, str) else None
        return await self.adopt(Plan.of(name, known or target, expression, **options))

    async def adopt(self, plan: Plan) -> Schedule:
        """Puts what was declared; writes nothing when that is what the store has."""
        if len(plan.input) > (limit := self._services.settings.payload):
            raise InputInvalid(f"schedule {plan.name}: its input has {len(plan.input):,} bytes, the limit is {limit:,}")
        tenant = self._tenant if plan.tenant is None else plan.tenant
        parts = {f: getattr(plan, f) for f in ("flow", "cron", "zone", "input", "overlap", "catch_up")}
        try:
            before = await self._services.store.schedules.get(tenant, plan.name)
        except NotFound:
            after = Schedule(tenant=tenant, name=plan.name, next_at=self._next(plan.cron, plan.zone), **parts)
        else:
            after = msgspec.structs.replace(before, **parts)
            if (after.flow, after.cron, after.zone) != (before.flow, before.cron, before.zone):
                after = msgspec.structs.replace(after, next_at=self._next(plan.cron, plan.zone))
            if after == before:
                return before
        await self._services.store.schedules.put(after)
        return after

    async def adopt_all(self, plans: Iterable[Plan]) -> None:
        """Puts everything that an app declares; what it no longer declares stays."""
        for plan in plans:
            await self.adopt(plan)

    async def list(self, *, tenant: str | None = None) -> list[Schedule]:
        """A tenant's schedules by name."""
        return await self._services.store.schedules.find(self._of(tenant))

    async def get(self, name: str, *, tenant: str | None = None) -> Schedule:
        """One schedule. Raises NotFound."""
        return await self._services.store.schedules.get(self._of(tenant), name)

    async def standing(self, schedule: Schedule) -> Standing:
        """How it is doing."""
        if schedule.paused:
            return Standing.PAUSED
        late = self._services.clock.now() - schedule.next_at
        if late > 0 and schedule.overlap is not Overlap.ALLOW and await self._busy(schedule):
            return Standing.WAITING
        return Standing.LATE if late > GRACE else Standing.SCHEDULED

    async def remove(self, name: str, *, tenant: str | None = None) -> None:
        """Removes a schedule; the runs that it started go on. Raises NotFound."""
        if not await self._services.store.schedules.remove(self._of(tenant), name):
            raise _unknown(name)

    async def pause(self, name: str, *, tenant: str | None = None) -> None:
        """Starts nothing until it is resumed. Raises NotFound."""
        await self._pause(name, tenant, True)

    async def resume(self, name: str, *, tenant: str | None = None) -> None:
        """Goes on; starts that were missed meanwhile are made up for as the schedule says. Raises NotFound."""
        await self._pause(name, tenant, False)

    async def trigger(self, name: str, *, tenant: str | None = None) -> Schedule:
        """Makes it due at the next full second, so that a worker that has the flow starts a run then.

        What is due later stays, and the overlap rule holds. Returns the schedule as it is then.

        Raises NotFound; Conflict when it is paused or due already, or when it would be left out because the run
        before has not ended.
        """
        store, now = self._services.store, self._services.clock.now()
        schedule = await store.schedules.get(self._of(tenant), name)
        if schedule.paused:
            raise Conflict(f"schedule {name} is paused", remedy=f"callboard schedules resume {name}")
        if schedule.overlap is Overlap.SKIP and await self._busy(schedule):
            raise Conflict(
                f"schedule {name} starts no run while {schedule.last_run} has not ended",
                why="its overlap is skip",
                remedy="wait for that run or cancel it",
            )
        due = math.floor(now) + 1.0
        if schedule.next_at <= now or not await store.schedules.advance(schedule, due, None):
            raise Conflict(
                f"schedule {name} is due already",
                why="it waits for a worker or a run",
                remedy="callboard schedules list",
            )
        return msgspec.structs.replace(schedule, next_at=due)

    async def _pause(self, name: str, tenant: str | None, paused: bool) -> None:
        if not await self._services.store.schedules.pause(self._of(tenant), name, paused):
            raise _unknown(name)

    async def _busy(self, schedule: Schedule) -> bool:
        """Whether the run that it started last has not ended."""
        if schedule.last_run is None:
            return False
        try:
            return not (await self._services.store.runs.get(schedule.tenant, schedule.last_run)).status.ended
        except NotFound:
            return False  # purged, so it has ended

    def _of(self, tenant: str | None) -> str:
        return self._tenant if tenant is None else tenant

    def _next(self, expression: str, zone: str) -> float:
        return cron(expression, zone).after(self._services.clock.now())


def _one_of(kind: type[T], given: Any, what: str) -> T:
    try:
        return kind(given)
    except ValueError:
        raise InputInvalid(f"{what}={given!r} is unknown", remedy=f"use one of {', '.join(kind)}") from None


def _unknown(name: str) -> NotFound:
    return NotFound(f"no schedule {name!r}", remedy="callboard schedules list shows the names")
