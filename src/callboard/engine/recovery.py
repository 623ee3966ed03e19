"""The sweep: due timers, dead workers, ready runs that nobody announced, letters that nobody rang for, budgets that
are held in vain."""

import asyncio
import contextlib
import logging
from typing import Protocol

from callboard.dispatch.bell import Hint, News
from callboard.domain.errors import StoreError
from callboard.domain.run import RunStatus
from callboard.engine.clock import FleetClock, Timer
from callboard.engine.schedules import Scheduler
from callboard.engine.services import Ended, Services
from callboard.store.answers import KEPT

_log = logging.getLogger("callboard.recovery")
_DUE_AT_ONCE = 1_000
_TIDY = 5.0  # seconds between two looks for budgets that are held in vain
_AIR = 3_600.0  # seconds between two looks for answers that are too old for anybody


class Sweeping(Protocol):
    """What the sweep tells its worker."""

    id: str

    def nudge(self) -> None:
        """There may be something to claim."""
        ...

    def watch(self, inboxes: dict[str, int]) -> None:
        """Inbox counters of the worker's runs."""
        ...

    def suspects(self, count: int, now: float) -> None:
        """Ready runs that are suspected of killing workers."""
        ...


class Recovery:
    """Looks into the store every `sweep` seconds, and whenever a timer that it knows of is due."""

    def __init__(self, services: Services, worker: Sweeping) -> None:
        self._services = services
        self._worker = worker
        self._scheduler = Scheduler(services)
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._next_due: float | None = None
        self._swept_at: float | None = None
        self._tidied_at: float | None = None
        self._aired_at = 0.0

    @property
    def age(self) -> float | None:
        """Seconds since the store answered a sweep; None before the first."""
        return None if self._swept_at is None else self._services.clock.monotonic() - self._swept_at

    def start(self) -> None:
        """Begins to sweep, at once."""
        self._task = asyncio.get_running_loop().create_task(self._sweep_forever())

    async def stop(self) -> None:
        """Ends it."""
        self._stopping = True
        self._wake.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    def due(self, when: float) -> None:
        """A run waits until then: look at that time, not only at the next sweep."""
        if self._next_due is None or when < self._next_due:
            if self._timer is not None:
                self._timer.cancel()
            self._next_due = when
            self._timer = self._services.clock.call_at(when, self._wake.set)

    async def tick(self) -> None:
        """One sweep. Raises StoreError."""
        services, worker = self._services, self._worker
        claims, settings = services.store.claims, services.settings
        now, flows = services.clock.now(), list(services.flows)
        asked = services.clock.monotonic()
        outlook = await claims.outlook(worker.id, flows)
        if outlook.now is not None and isinstance(services.clock, FleetClock):
            services.clock.correct(outlook.now, asked)
            now = services.clock.now()
        if outlook.next_due is not None and outlook.next_due <= now:
            while await claims.wake_due(now, _DUE_AT_ONCE) == _DUE_AT_ONCE:
                pass
            outlook = await claims.outlook(worker.id, flows)
            worker.nudge()
        taken = await claims.take_over(worker.id, settings.lease, settings.max_deaths, now)
        services.metrics.taken_over += len(taken.ready) + len(taken.dead)
        services.metrics.dead += len(taken.dead)
        if taken.dead:
            services.bell.ring([Hint(News.ENDED, run_id) for run_id in taken.dead])
            for tenant, run_id in zip(taken.tenants, taken.dead, strict=True):
                services.ended(Ended(tenant, run_id, RunStatus.DEAD))
        if taken.ready or outlook.ready:
            worker.nudge()
        controls, limits = await services.store.controls.all(), await services.store.budgets.limits()
        services.fleet.update(outlook.workers, controls, limits)
        self._swept_at = services.clock.monotonic()
        worker.watch(outlook.inboxes)
        worker.suspects(outlook.suspects, services.clock.monotonic())
        self._next_due = None
        if outlook.next_due is not None and outlook.next_due > now:
            self.due(outlook.next_due)
        await self._scheduler.sweep(now)
        if self._scheduler.next_due is not None:
            self.due(self._scheduler.next_due)
        await self._tidy(now)
        await services.swept()

    async def _tidy(self, now: float) -> None:
        """What is no longer of use, now and then: holds of runs that have ended, old answers, log-ins."""
        store = self._services.store
        if self._tidied_at is None:
            self._tidied_at = now  # a worker that has just begun has better things to do
        if abs(now - self._tidied_at) >= _TIDY:
            self._tidied_at = now
            await store.budgets.sweep()
            if abs(now - self._aired_at) >= _AIR:
                self._aired_at = now
                await store.answers.forget(None, now - KEPT)
                await store.people.forget(now)

    async def _sweep_forever(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                await self.tick()
            except StoreError as error:
                _log.warning("the sweep failed, trying again at the next: %s", error)
            except Exception:
                _log.exception("the sweep failed; trying again at the next")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._services.settings.sweep)
