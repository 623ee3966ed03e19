"""Starts the runs of schedules when they are due, once each, however many workers look."""

import logging
import math

from callboard.domain.codec import decode
from callboard.domain.errors import CallboardError, Conflict, KeyConflict, NotFound, StoreError
from callboard.domain.run import Run
from callboard.engine.commands import Commands
from callboard.engine.cron import cron, text
from callboard.engine.due import Leave, Start, Wait, decide
from callboard.engine.flow import Flow
from callboard.engine.services import Services
from callboard.store.schedules import CatchUp, Overlap, Schedule

_log = logging.getLogger("callboard.schedules")
_AT_ONCE = 200  # steps in one sweep, so that a long time missed does not keep the worker from its other work
_PAGE = 100  # schedules looked at in one go


class Scheduler:
    """The part of a sweep that sees to schedules.

    A run is started before its schedule is moved on, under a key made of the schedule and of the moment at which it
    was due: who repeats the start finds the same run, and who moves the schedule on too late is refused.

    Attributes:
        next_due: when to sweep again at the latest, epoch seconds, as of the last sweep; None for never. Schedules
            that wait for a run or for a worker that has their flow do not count.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._commands = Commands(services)
        self._told: dict[tuple[str, str], str] = {}
        self.next_due: float | None = None

    async def sweep(self, now: float) -> None:
        """Starts what is due at `now`, in epoch seconds. Raises StoreError."""
        limit, left = _PAGE, _AT_ONCE
        while True:
            found = await self._services.store.schedules.due(math.inf, limit)
            due = [schedule for schedule in found if schedule.next_at <= now]
            moved = 0
            for schedule in due:
                moved += await self._see_to(schedule, now) if moved < left else 0
            left -= moved
            if moved and left > 0:
                continue  # they may be due again
            if moved or len(found) < limit or len(due) < len(found):
                break
            limit *= 2  # a whole page of schedules that wait: what is behind them must not wait too
        self.next_due = now if moved else min((s.next_at for s in found[len(due) :]), default=None)

    async def _see_to(self, schedule: Schedule, now: float) -> bool:
        """One step of one schedule, done here or by somebody faster; False when there is nothing to be done now."""
        try:
            return await self._step(schedule, now)
        except StoreError:
            raise
        except CallboardError as error:
            self._tell(schedule, f"cannot start now, and is tried again: {error}")
        except Exception:
            _log.exception("schedule %s of %s: a defect", schedule.name, schedule.tenant)
        return False

    async def _step(self, schedule: Schedule, now: float) -> bool:
        flow = self._services.find(schedule.flow)
        if flow is None:
            return False  # it is left to a worker that has the flow
        before = await self._before(schedule)
        match decide(schedule, cron(schedule.cron, schedule.zone), before, now):
            case Start(then):
                run_id = await self._start(schedule, flow)
                await self._services.store.schedules.advance(schedule, then, run_id)
                return True
            case Leave(then, why):
                moved = await self._services.store.schedules.advance(schedule, then, None)
                if moved:
                    _log.warning("schedule %s of %s: left out from %s to before %s: %s",
                                 schedule.name, schedule.tenant, text(schedule.next_at), text(then), why)  # fmt: skip
                return True
            case Wait(cancel):
                if cancel and before is not None:
                    await self._cancel(schedule, before)
                return False

    async def _before(self, schedule: Schedule) -> Run | None:
        """The run of the start before, if anything depends on it."""
        if schedule.last_run is None or (schedule.overlap is Overlap.ALLOW and schedule.catch_up is not CatchUp.ALL):
            return None
        try:
            return await self._services.store.runs.get(schedule.tenant, schedule.last_run)
        except NotFound:
            return None  # purged, so it has ended

    async def _start(self, schedule: Schedule, flow: Flow) -> str | None:
        """Starts the run that is due, or finds it; returns its id."""
        due = text(schedule.next_at)
        labels = {"schedule": schedule.name, "due": due}
        key, value = f"schedule/{schedule.name}/{due}", decode(schedule.input)
        try:
            started = await self._commands.start(
                flow, value, tenant=schedule.tenant, key=key, labels=labels, by=f"schedule:{schedule.name}"
            )
        except KeyConflict:  # somebody started it, and then its input was changed
            found = await self._services.store.runs.find(schedule.tenant, flow=flow.name, labels=labels, limit=1)
            return found[0].id if found else None
        return started.run_id

    async def _cancel(self, schedule: Schedule, before: Run) -> None:
        if self._told.get((schedule.tenant, schedule.name)) == before.id:
            return
        try:
            await self._commands.cancel(schedule.tenant, before.id, f"schedule {schedule.name} starts the next run")
        except (Conflict, NotFound):
            return  # it has ended by itself
        self._told[schedule.tenant, schedule.name] = before.id

    def _tell(self, schedule: Schedule, what: str) -> None:
        """Says once what would otherwise be said at every sweep."""
        if self._told.get((schedule.tenant, schedule.name)) != what:
            self._told[schedule.tenant, schedule.name] = what
            _log.error("schedule %s of %s: %s", schedule.name, schedule.tenant, what)
