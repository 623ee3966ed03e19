"""How a process is doing, for whoever watches it: alive, ready, and in numbers."""

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from callboard.domain.errors import StoreError
from callboard.domain.run import RunStatus
from callboard.engine.admission import Admission
from callboard.engine.services import Services
from callboard.engine.worker import Worker

if TYPE_CHECKING:
    from callboard.telemetry.exposition import Exposition, Levels

_PATIENCE = 2.0  # seconds for the store to answer a probe
_PROBE = 1.0  # seconds: probes look at the store no more often than this
_SCRAPE = 5.0  # seconds: however many ask for metrics how often, a process reads the queue no more often than this


class Condition:
    """Answers probes. `alive` and `ready` may be asked from any thread, and ask nobody themselves."""

    def __init__(self, services: Services, admission: Admission, worker: Worker | None) -> None:
        self._services = services
        self._admission = admission
        self._worker = worker

    def alive(self) -> str:
        """What is wrong with this process that only a restart mends; empty if nothing is."""
        age = None if self._worker is None else self._worker.beat_age
        if age is not None and age > self._services.settings.lease:
            return f"the event loop has not turned for {age:.0f} s"
        return ""

    def ready(self) -> str:
        """Why this process executes nothing at the moment; empty if it does."""
        worker, settings = self._worker, self._services.settings
        if worker is None:
            return ""
        if not worker.ready:
            return "it claims no runs"
        if worker.sweep_age is None:
            return "it has not yet looked into the store"
        if worker.sweep_age > max(settings.lease, 5 * settings.sweep):
            return f"the store has not answered for {worker.sweep_age:.0f} s"
        return self.alive()

    async def dependencies(self) -> dict[str, str]:
        """What this process stands on, each with what is wrong with it; empty text where nothing is.

        Without `store` and `worker` it cannot do its work; without `dispatch` and `stream` it is only slower to hear.
        """
        far = "other processes cannot be reached: what they say comes late"
        found = {
            "store": await self._store(),
            "dispatch": "" if self._services.bell.healthy else far,
            "stream": "" if self._services.stream.healthy else far,
        }
        if self._worker is not None:
            found["worker"] = self.ready()
        return found

    async def metrics(self) -> bytes:
        """All metrics in the text format of Prometheus. Without the queue's, if the store does not answer."""
        return self.exposition.text(await self.levels())

    async def levels(self) -> "Levels":
        """The numbers that are looked up. Without the queue's, if the store does not answer."""
        from callboard.telemetry.exposition import Levels

        runs: dict[str, int] | None = None
        oldest: float | None = None
        try:
            found = await self._admission.backlog(_SCRAPE)
        except StoreError:
            pass
        else:
            runs = {RunStatus.READY: found.ready, RunStatus.RUNNING: found.running, RunStatus.WAITING: found.waiting}
            oldest = 0.0 if found.oldest is None else max(0.0, self._services.clock.now() - found.oldest)
        active = None if self._worker is None else self._worker.active
        capacity = None if self._worker is None else self._services.settings.concurrency
        return Levels(runs, oldest, active, capacity, self._services.upstreams())

    @cached_property
    def exposition(self) -> "Exposition":
        """The registry, for doors that have metrics of their own."""
        from callboard.telemetry.exposition import Exposition

        return Exposition(self._services.metrics)

    async def _store(self) -> str:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._admission.backlog(_PROBE)
        except (StoreError, TimeoutError) as error:
            return f"it does not answer ({type(error).__name__})"
        return ""
