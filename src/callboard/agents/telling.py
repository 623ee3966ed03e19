"""Tells of runs that have ended: reads their journals in the background and hands them to the exporter."""

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from random import Random

from callboard.agents.tracing import Content, Installed, spans_of
from callboard.domain.errors import CallboardError
from callboard.domain.event import Event
from callboard.domain.ids import Ids
from callboard.domain.run import Run, RunStatus
from callboard.domain.usage import micros
from callboard.engine.condition import Condition
from callboard.engine.services import Ended
from callboard.settings import TelemetrySettings
from callboard.store.store import Store
from callboard.telemetry import genai
from callboard.telemetry.endpoint import endpoint
from callboard.telemetry.exporter import Exporter
from callboard.telemetry.metrics import Metrics
from callboard.telemetry.sampling import Sampling
from callboard.telemetry.server_span import ServerSpan
from callboard.telemetry.trace import run_span

_log = logging.getLogger("callboard.telemetry")

_WAITING = 10_000  # runs whose journals are still to be read
_AT_ONCE = 50  # rows read together
_FAILED = frozenset({RunStatus.FAILED, RunStatus.DEAD})
_EVENT = 120  # bytes around the body of an event
_PATIENCE = 5.0  # seconds that a stopping process gives what still waits


class Telling:
    """What a process tells of its runs and requests. Without an exporter, nothing.

    Nobody waits for it: `ended` only notes that a run has ended, after that is committed.
    """

    def __init__(
        self,
        store: Store,
        ids: Ids,
        metrics: Metrics,
        installed: Installed,
        sampling: Sampling,
        content: Content,
        exporter: Exporter | None,
    ) -> None:
        self._store = store
        self._ids = ids
        self._metrics = metrics
        self._installed = installed
        self._sampling = sampling
        self._content = content
        self._exporter = exporter
        self._waiting: deque[Ended] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._began = time.time_ns()
        self._condition: Condition | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def of(
        cls,
        settings: TelemetrySettings,
        store: Store,
        ids: Ids,
        metrics: Metrics,
        chance: Random,
        installed: Installed,
    ) -> "Telling":
        """As the settings say. Raises InputInvalid where an endpoint cannot be one, or a package is missing."""
        sampling = Sampling(settings.sample, micros(f"{settings.expensive:.6f}"), settings.slow)
        telling = cls(store, ids, metrics, installed, sampling, Content(settings.content), None)
        where = endpoint(settings.endpoint, settings.headers, os.environ)
        if where is not None:
            installed_as = version("callboard")
            about = {
                genai.SERVICE_NAME: settings.service,
                genai.SERVICE_VERSION: installed_as,
                genai.SERVICE_INSTANCE: ids.new(),
            }
            telling._exporter = Exporter(where, about, installed_as, metrics, chance, tell_metrics=telling._numbers_of)
        return telling

    def open(self, condition: Condition) -> None:
        """Begins to tell, also the numbers, as `condition` knows them. Call it on the event loop."""
        self._condition, self._loop = condition, asyncio.get_running_loop()
        if self._exporter is not None:
            self._exporter.start()

    @property
    def telling(self) -> bool:
        """Whether anybody is told."""
        return self._exporter is not None

    def wanted(self, trace_id: str) -> bool:
        """Whether a trace is in the share that is told; all are, where others may tell of them."""
        return self._exporter is None or self._sampling.wanted(trace_id)

    def request(self, traceparent: str | None) -> ServerSpan:
        """A request has come to a door, with this header or none. End it when it is answered."""
        unique = "" if self._exporter is None else self._ids.new()
        return ServerSpan(traceparent, unique, self._exporter, self.wanted)

    def ended(self, ended: Ended) -> None:
        """A run has ended here, or has begun anew. Never blocks."""
        if self._exporter is None or self._closing:
            return
        if self._exporter.full or len(self._waiting) >= _WAITING:
            self._metrics.telemetry_dropped["queue"] += 1
            return
        if ended.run is not None and ended.events is not None and (kept := self._known(ended.run, ended)):
            self._hand_over(ended.run, ended.events, ended, kept)
            return
        self._waiting.append(ended)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tell_all())
        self._wake.set()

    async def close(self) -> None:
        """Reads and sends what waits, for some seconds at most."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, _PATIENCE)
            self._metrics.telemetry_dropped["closed"] += len(self._waiting)
            self._waiting.clear()
        if self._exporter is not None:
            await asyncio.to_thread(self._exporter.close, _PATIENCE)

    async def _tell_all(self) -> None:
        while True:
            self._wake.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
                try:
                    await self._tell(batch)
                except CallboardError as error:
                    self._metrics.telemetry_dropped["unread"] += len(batch)
                    _log.warning("runs that have ended cannot be told of: %s", error)
                except Exception:
                    self._metrics.telemetry_dropped["unread"] += len(batch)
                    _log.exception("runs that have ended cannot be told of")
            if self._closing:
                return
            await self._wake.wait()

    async def _tell(self, batch: Sequence[Ended]) -> None:
        """The rows of a tenant's runs are read together, and then the journals of those that are told."""
        tenants: dict[str, list[Ended]] = {}
        for each in batch:
            tenants.setdefault(each.tenant, []).append(each)
        for tenant, ended in tenants.items():
            rows = await self._store.runs.rows(tenant, [each.run_id for each in ended])
            for each in ended:
                run = rows.get(each.run_id)
                kept = "" if run is None else self._kept(run, each)
                if run is not None and kept:
                    await self._offer(run, each, kept)

    async def _offer(self, run: Run, ended: Ended, kept: str) -> None:
        events: list[Event] = await self._store.journal.read(run.tenant, run.id, after=ended.base - 1)
        if ended.seq is not None:
            events = [event for event in events if event.seq <= ended.seq]
        if events:
            self._hand_over(run, events, ended, kept)

    def _hand_over(self, run: Run, events: list[Event], ended: Ended, kept: str) -> None:
        assert self._exporter is not None
        size = sum([len(event.body) for event in events]) + _EVENT * len(events)
        renewed = ended.status is RunStatus.READY
        installed, content = self._installed, self._content
        self._exporter.offer(size, lambda: spans_of(run, events, installed, content, kept=kept, renewed=renewed))

    def _numbers_of(self, resource: Mapping[str, str]) -> bytes:
        """The metrics as OTLP has them; called in the exporter's thread."""
        from callboard.telemetry.otlp_metrics import request

        if self._condition is None or self._loop is None:
            return b""
        levels = asyncio.run_coroutine_threadsafe(self._condition.levels(), self._loop).result(_PATIENCE)
        families = self._condition.exposition.families(levels)
        return request(families, resource, version("callboard"), self._began)

    def _known(self, run: Run, ended: Ended) -> str:
        """Why it is told, as far as that is known without its row as it is now; empty if it is not."""
        if self._sampling.share >= 1 and run.trace is None:
            return "share"
        context = run_span(run.id, run.trace)
        return self._sampling.keeps(
            context.trace_id, context.sampled, failed=ended.status in _FAILED, cost=run.usage.cost, seconds=lambda: 0.0
        )

    def _kept(self, run: Run, ended: Ended) -> str:
        context = run_span(run.id, run.trace)
        finished = run.updated_at if run.finished_at is None else run.finished_at
        return self._sampling.keeps(
            context.trace_id,
            context.sampled,
            failed=ended.status in _FAILED,
            cost=run.usage.cost,
            seconds=lambda: finished - run.created_at,
        )
