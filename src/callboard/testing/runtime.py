"""A runtime for tests: in memory or on a file, with a clock that is wound, killed and started again at will."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from callboard.engine.schedules import Scheduler
from callboard.resilience.faults import Faults
from callboard.runtime import Flows, Runtime, build
from callboard.settings import EngineSettings, Settings
from callboard.testing.clock import WindingClock
from callboard.wiring import MEMORY, sqlite_store

_TICK = 0.002  # seconds of real time between looks
# Lease and window are long: a machine that stands still for a moment must not look like a worker that does.
_QUICK = EngineSettings(sweep=0.05, beat=0.5, lease=30.0, window=5.0, drain=2.0)


class TestRuntime:
    """A runtime whose worker and clock are in the test's hands. `rt` has what `callboard.open` gives."""

    __test__ = False  # not a test, whatever pytest may think of its name

    def __init__(
        self, app: Flows, settings: Settings, clock: WindingClock, path: str, fault: Any, faults: Faults | None = None
    ) -> None:
        self._app = app
        self._settings = settings
        self._path = path
        self._fault = fault
        self._faults = faults
        self.clock = clock
        self.rt: Runtime = self._build()
        self._scheduler = Scheduler(self.rt.services)

    async def run(self, flow: Any, input: Any = None, **options: Any) -> Any:
        """Starts a run and waits for its output."""
        return await self.rt.run(flow, input, **options)

    async def start(self, flow: Any, input: Any = None, **options: Any) -> Any:
        """Starts a run; returns its RunHandle."""
        return await self.rt.start(flow, input, **options)

    async def settle(self, timeout: float = 10.0) -> None:
        """Waits until every run has ended or waits. Raises TimeoutError after `timeout` real seconds."""
        async with asyncio.timeout(timeout):
            quiet = 0
            while quiet < 3:
                worker = self.rt.worker
                assert worker is not None
                due = await self.next_due()
                outlook = await self.rt.store.claims.outlook(worker.id, list(self.rt.services.flows))
                overdue = due is not None and due <= self.clock.now()
                quiet = 0 if worker.active or outlook.ready or overdue else quiet + 1
                await asyncio.sleep(_TICK)

    async def wind(self, seconds: float = 0.0, *, hours: float = 0.0, days: float = 0.0) -> None:
        """Moves the clock forward, from timer to timer, and lets the runs catch up at each."""
        target = self.clock.now() + seconds + 3600.0 * hours + 86_400.0 * days
        await self.settle()
        while (due := await self.next_due()) is not None and due <= target:
            self.clock.set(max(due, self.clock.now()))
            await self.settle()
        self.clock.set(target)
        await self.settle()

    async def kill(self) -> None:
        """Ends the worker as if its process had died: nothing more is written."""
        worker = self.rt.worker
        assert worker is not None
        await worker.kill()
        lose: Callable[[str], None] = self.rt.store.claims.lose  # type: ignore[attr-defined]
        lose(worker.id)

    async def restart(self) -> None:
        """Starts a new worker on the same store; the runs of a killed one go on."""
        old = self.rt
        if self._path == MEMORY:
            self.rt = self._build(old)
            await old.results.close()
            await old.services.bell.close()
            await self.rt.reopen()
        else:
            await old.results.close()
            await old.services.bell.close()
            await old.store.close()
            self.rt = self._build()
            await self.rt.open()
        self._scheduler = Scheduler(self.rt.services)

    async def next_due(self) -> float | None:
        """When something is due by itself: a timer of a run, or a schedule (epoch seconds); None for never."""
        worker = self.rt.worker
        assert worker is not None
        outlook = await self.rt.store.claims.outlook(worker.id, list(self.rt.services.flows))
        if not worker.ready:
            return outlook.next_due
        # Any number of workers may look after the schedules: this one looks at once, and never between two windings.
        await self._scheduler.sweep(self.clock.now())
        return min((due for due in (outlook.next_due, self._scheduler.next_due) if due is not None), default=None)

    def _build(self, old: Runtime | None = None) -> Runtime:
        made = None if old is None else old.store
        store = made or sqlite_store(self._path, self.clock, self._fault, counted=self.clock.now)
        return build(self._app, self._settings, clock=self.clock, store=store, faults=self._faults)


@asynccontextmanager
async def runtime(
    app: Flows,
    path: str | Path | None = None,
    *,
    clock: WindingClock | None = None,
    settings: EngineSettings = _QUICK,
    fault: Any = None,
    faults: Faults | None = None,
    options: Settings | None = None,
) -> AsyncIterator[TestRuntime]:
    """Opens an app for a test.

    Args:
        app: the App.
        path: a SQLite file; in memory by default.
        clock: a clock to wind; a new one by default.
        settings: options of the engine, quick ones by default.
        options: all other settings in place of the defaults; their store is not used.
        fault: called with `before_commit` and `after_commit` around each commit of the store.
        faults: calls that go wrong, see `callboard.testing.chaos`.
    """
    where = MEMORY if path is None else str(path)
    url = "sqlite://" if path is None else f"sqlite:///{path}"
    chosen = msgspec.structs.replace(options or Settings(), store=url, dispatch="", engine=settings)
    test = TestRuntime(app, chosen, WindingClock() if clock is None else clock, where, fault, faults)
    await test.rt.open()
    try:
        yield test
    finally:
        await test.rt.close()
