"""The composition root: an app and settings in, a wired runtime out."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec

from callboard.access import Access, Desk, Entered, NewKey
from callboard.access.catalog import FlowCard
from callboard.access.courier import Courier
from callboard.access.signing import SigningSecret
from callboard.access.trail import Report
from callboard.agents.app import App
from callboard.agents.budgeting import Budgeting
from callboard.agents.costs import BILLED_BY, COSTS_BY, UNBILLED, Costs, Spent, Sums
from callboard.agents.dependencies import Dependency
from callboard.agents.lens import Lens, Saw
from callboard.agents.program import Flows
from callboard.agents.surroundings import Surroundings
from callboard.agents.telling import Telling
from callboard.agents.tracing import Installed
from callboard.dispatch.troubled import TroubledBell
from callboard.domain.entropy import Pooled
from callboard.domain.errors import InputInvalid, NotFound
from callboard.domain.ids import Ids
from callboard.domain.principal import Principal
from callboard.engine.admission import Admission
from callboard.engine.clock import Clock, FleetClock, SystemClock
from callboard.engine.commands import Commands
from callboard.engine.condition import Condition
from callboard.engine.flow import Flow
from callboard.engine.handle import RunHandle
from callboard.engine.looking import journals, look
from callboard.engine.results import Results
from callboard.engine.services import Services
from callboard.engine.sessions import Conversations
from callboard.engine.timetable import ScheduleCommands
from callboard.engine.worker import Worker
from callboard.policy.access import ALLOWED, UNSCOPED, Action
from callboard.resilience.counters import Counters
from callboard.resilience.faults import Faults
from callboard.settings import Settings, from_environment
from callboard.store.approvals import Approval, ApprovalStatus
from callboard.store.audit import Entry
from callboard.store.controls import Control, Scope
from callboard.store.keys import Key
from callboard.store.people import Person
from callboard.store.runs import Search
from callboard.store.schedules import CatchUp, Overlap, Schedule
from callboard.store.sessions import Meanwhile, Session, Turn
from callboard.store.store import Store
from callboard.telemetry.logs import log_as
from callboard.telemetry.metrics import Metrics
from callboard.wiring import is_server, migrate_schema, parts, schema_status


class Runtime:
    """An app on a store: starts runs, executes them if it has a worker, and looks at what is there.

    Use `callboard.open`, which makes one and closes it.
    """

    def __init__(self, app: Flows, services: Services, settings: Settings, counters: Counters, *, worker: bool) -> None:
        self._app = app
        self.services = services
        self.settings = settings
        self.counters = counters
        admission = Admission(services)
        self.commands = Commands(services, admission)
        self.schedules = ScheduleCommands(services, settings.tenant)
        self.budgets = Budgeting(services, services.carried[Surroundings].charging.declared)
        self.upstreams = app.dependencies(services.carried[Surroundings])
        self.costs = Costs(services.store)
        self.results = Results(services)
        self.sessions = Conversations(services, self.commands, admission)
        self.worker = Worker(replace(services, swept=self._swept)) if worker else None
        self.roles = {role.name: role for role in app.roles()}
        self.access = Access(services.store, services.clock, settings, counters, os.urandom)
        self.courier = Courier(services, self.access.secret, settings.gateway.webhook_hosts)
        self.condition = Condition(services, admission, self.worker)
        self.telemetry = services.carried[Telling]

    @property
    def store(self) -> Store:
        """The store, for doors that list and show."""
        return self.services.store

    def desk(self, principal: Principal, tenant: str | None = None, source: str = "") -> Desk:
        """Where doors act for somebody: all that they may do, checked and recorded.

        Args:
            principal: who, as `access` has recognised them.
            tenant: in which tenant; the principal's own by default.
            source: from where: an address, or `cli`.

        Raises InputInvalid for a tenant that cannot be one.
        """
        return Desk(self, self.access, principal, principal.tenant if tenant is None else tenant, source)

    async def start(
        self,
        flow: Any,
        input: Any = None,
        *,
        key: str | None = None,
        tenant: str | None = None,
        priority: int = 0,
        labels: dict[str, str] | None = None,
        start_at: float | None = None,
        delay: float = 0.0,
        by: str | None = None,
        trace: str | None = None,
        webhook: str | None = None,
    ) -> RunHandle:
        """Starts a run of a flow or an agent; it is durable when this returns.

        Args:
            flow: a flow, an agent, or the name of one.
            input: JSON-like, or of the type that the flow declares.
            key: idempotency key: the same key with the same input is the same run.
            tenant: whose run it is; the settings' tenant by default.
            priority: higher runs earlier.
            labels: text by text, to find the run by.
            start_at: when it may begin, in seconds since the Unix epoch.
            delay: seconds until it may begin, where no `start_at` is given.
            by: who starts it, to be recorded.
            trace: the `traceparent` of what starts it, whose trace it joins; a trace of its own by default.
            webhook: an address that is told when the run has ended, by a worker that has the gateway's secret.

        Raises:
            InputInvalid: the input does not fit; the message names each field.
            KeyConflict: the key belongs to a run with another input.
            Overloaded: too many runs are waiting to be executed; it says when to come back.
            StoreError: the store cannot be written.
        """
        target = self._flow(flow)
        owner = self.settings.tenant if tenant is None else tenant
        begin = self.services.clock.now() + delay if start_at is None and delay else start_at
        started = await self.commands.start(
            target,
            input,
            tenant=owner,
            key=key,
            priority=priority,
            labels=labels,
            start_at=begin,
            by=by,
            trace=trace,
            webhook=webhook,
        )
        if begin is not None and self.worker is not None:
            self.worker.due(begin)
        return self._handle(owner, started.run_id, target, started.created)

    async def run(self, flow: Any, input: Any = None, **options: Any) -> Any:
        """Starts a run as `start` does, waits for it, and returns its output. Raises what both raise."""
        return await (await self.start(flow, input, **options)).result()

    def handle(self, run_id: str, *, tenant: str | None = None) -> RunHandle:
        """A handle on a run by its id; nothing is looked up yet."""
        return self._handle(self.settings.tenant if tenant is None else tenant, run_id, None)

    async def seen(self, run_id: str, *, tenant: str | None = None, until: int | None = None) -> Saw:
        """What the models of a run saw, call by call, and why each part was there.

        The run's flow is replayed in this process, over its journal; of a run that began anew, over the journal that
        has the event `until`, or over all. Nothing is executed or written.

        Raises NotFound when there is no such run, or its flow is not installed here.
        """
        owner = self.settings.tenant if tenant is None else tenant
        run = await self.services.store.runs.get(owner, run_id)
        events = await self.services.store.journal.read(owner, run_id)
        lens, why = Lens(), ""
        around = replace(self.services.carried[Surroundings], lens=lens)
        services = replace(self.services, carried={**self.services.carried, Surroundings: around})
        for journal in journals(events):
            if until is None or journal[0].seq <= until <= journal[-1].seq:
                why = await look(services, run, journal) or why
        return Saw(tuple(lens.seen), why)

    async def open(self) -> None:
        """Connects and begins to work. Raises StoreError."""
        await self.services.store.open()
        clock = self.services.clock
        if isinstance(clock, FleetClock):
            asked = clock.monotonic()
            if (there := await self.services.store.now()) is not None:
                clock.correct(there, asked)
        await self.reopen()

    async def reopen(self) -> None:
        """Begins to work on a store that is open already."""
        await self.services.bell.open()
        await self.services.stream.open()
        self.results.open()
        self.services.tails.open(self.services.store, self.services.bell)
        self.sessions.open()
        self.telemetry.open(self.condition)
        if self.worker is not None:
            await self._app.opened(self.settings)
            await self.schedules.adopt_all(self._app.schedules())
            await self.worker.start()
            self.courier.open()

    async def close(self) -> None:
        """Drains the worker and disconnects; runs that have not ended go on elsewhere or later."""
        if self.worker is not None and self.worker.started:
            await self.worker.stop()
        await self.telemetry.close()
        await self.courier.close()
        around = self.services.carried.get(Surroundings)
        if around is not None:
            await around.models.close()
        await self.sessions.close()
        await self.services.tails.close()
        await self.results.close()
        await self.services.stream.close()
        await self.services.bell.close()
        await self.services.store.close()

    async def _swept(self) -> None:
        await self.services.swept()
        await self.sessions.sweep()

    def _flow(self, flow: Any) -> Flow:
        if isinstance(flow, str):
            found = self.services.find(flow)
            if found is None:
                known = ", ".join(sorted({f.name for f in self.services.flows.values()})) or "none"
                raise NotFound(f"no flow {flow!r} in this app", remedy=f"it has: {known}")
            return found
        target = flow if isinstance(flow, Flow) else getattr(flow, "flow", None)
        if not isinstance(target, Flow):
            raise InputInvalid(f"{flow!r} is neither a flow nor an agent", remedy="decorate it with @app.flow")
        return target

    def _handle(self, tenant: str, run_id: str, flow: Flow | None, created: bool = True) -> RunHandle:
        return RunHandle(self.services, self.commands, self.results, tenant, run_id, flow, created=created)


@asynccontextmanager
async def open(
    app: Flows | None,
    store: str | None = None,
    *,
    dispatch: str | None = None,
    worker: bool = True,
    operator: bool = False,
    settings: Settings | None = None,
    clock: Clock | None = None,
    faults: Faults | None = None,
) -> AsyncIterator[Runtime]:
    """Opens an app on a store and closes it at the end of the block.

    Args:
        app: the App; None for a door that only looks at runs and acts on them.
        store: a URL such as `sqlite:///file.db`, `sqlite:////absolute/file.db`, `sqlite://` for memory or
            `postgresql://user@host/database`; by default the settings' store.
        dispatch: what rings for workers on PostgreSQL: `redis://host/0`, or nothing for PostgreSQL itself.
        worker: whether runs are executed in this process. One that executes none is a door: on PostgreSQL it
            sees the rows of one tenant at a time.
        operator: a door for operators: it sees all tenants and may pause and limit, if its log-in may.
        settings: all options; read from the environment by default.
        clock: where time comes from; the machine's by default.
        faults: failures to inject, for tests and chaos.

    Raises:
        StoreError: the store cannot be opened; the message says why and what to do.
    """
    chosen = from_environment() if settings is None else settings
    if store is not None:
        chosen = msgspec.structs.replace(chosen, store=store)
    if dispatch is not None:
        chosen = msgspec.structs.replace(chosen, dispatch=dispatch)
    flows = App("") if app is None else app
    runtime = build(flows, chosen, worker=worker, operator=operator, clock=clock, faults=faults)
    try:
        await runtime.open()
        yield runtime
    finally:
        await runtime.close()


def build(
    app: Flows,
    settings: Settings,
    *,
    worker: bool = True,
    operator: bool = False,
    clock: Clock | None = None,
    store: Store | None = None,
    faults: Faults | None = None,
) -> Runtime:
    """Wires a runtime that is not open yet. Raises InputInvalid for a store or a dispatch that nothing serves, and for
    a configuration that cannot be."""
    ticking: Clock = SystemClock() if clock is None else clock
    if is_server(settings.store):
        ticking = FleetClock(ticking)
    ids, chance = Ids(ticking.now, Pooled(os.urandom)), random.SystemRandom()
    metrics = Metrics()
    found = parts(
        settings,
        ticking,
        worker=worker,
        operator=operator,
        name=ids.new(),
        observe=metrics.group,
        store=store,
    )
    around = app.surround(settings, found.store, found.counters, faults, lambda: found.fleet.limits, ticking.now)
    flows = {flow.full_name: flow for flow in app.flows()}
    newest = {flow.name: flow for flow in flows.values()}
    telling = Telling.of(settings.telemetry, found.store, ids, metrics, chance, Installed.of(app.tools, app.roles()))
    services = Services(
        store=found.store,
        bell=found.bell if faults is None else TroubledBell(found.bell, faults.copies),
        stream=found.stream,
        clock=ticking,
        ids=ids,
        chance=chance,
        settings=settings.engine,
        flows=flows,
        find=newest.get,
        labels=settings.labels,
        fleet=found.fleet,
        metrics=metrics,
        carried={Surroundings: around, Metrics: metrics, Telling: telling},
        charges=around.charging.of_run,
        swept=lambda: around.charging.look(found.store.budgets, metrics),
        ended=telling.ended,
        keeps=telling.telling,
        sampled=telling.wanted,
        upstreams=around.levels,
    )
    return Runtime(app, services, settings, found.counters, worker=worker)


__all__ = [
    "ALLOWED",
    "BILLED_BY",
    "COSTS_BY",
    "UNBILLED",
    "UNSCOPED",
    "Access",
    "Action",
    "Approval",
    "ApprovalStatus",
    "CatchUp",
    "Control",
    "Dependency",
    "Desk",
    "Entered",
    "Entry",
    "Flow",
    "FlowCard",
    "Flows",
    "Key",
    "Meanwhile",
    "NewKey",
    "Overlap",
    "Person",
    "Report",
    "RunHandle",
    "Runtime",
    "Schedule",
    "Scope",
    "Search",
    "Session",
    "SigningSecret",
    "Spent",
    "Sums",
    "Turn",
    "build",
    "log_as",
    "migrate_schema",
    "open",
    "schema_status",
]
