"""The composition root: an app and settings in, a wired runtime out. The only file that names adapters."""

import os
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from callboard.dispatch.bell import Bell
from callboard.dispatch.fifo import FifoBell
from callboard.dispatch.in_process import InProcessBell
from callboard.domain.errors import InputInvalid, NotFound
from callboard.domain.ids import Ids
from callboard.engine.clock import Clock, SystemClock
from callboard.engine.commands import Commands
from callboard.engine.flow import Flow
from callboard.engine.handle import RunHandle
from callboard.engine.results import Results
from callboard.engine.services import Services
from callboard.engine.worker import Worker
from callboard.settings import Settings, from_environment
from callboard.store.approvals import ApprovalStatus
from callboard.store.sqlite import Fault, SqliteStore
from callboard.store.store import Store
from callboard.streams.in_process import InProcessStream

MEMORY = ":memory:"


class Flows(Protocol):
    """What a runtime needs of an app: its flows, agents' among them."""

    def flows(self) -> Iterable[Flow]:
        """All flows, every version."""
        ...

    async def opened(self, settings: Settings) -> None:
        """Called before a worker in this process executes anything, to open what the tools need."""
        ...


class Runtime:
    """An app on a store: starts runs, executes them if it has a worker, and looks at what is there.

    Use `callboard.open`, which makes one and closes it.
    """

    def __init__(self, app: Flows, services: Services, settings: Settings, *, worker: bool) -> None:
        self._app = app
        self.services = services
        self.settings = settings
        self.commands = Commands(services)
        self.results = Results(services)
        self.worker = Worker(services) if worker else None

    @property
    def store(self) -> Store:
        """The store, for doors that list and show."""
        return self.services.store

    async def start(
        self,
        flow: Any,
        input: Any = None,
        *,
        key: str | None = None,
        tenant: str | None = None,
        priority: int = 0,
        labels: dict[str, str] | None = None,
    ) -> RunHandle:
        """Starts a run of a flow or an agent; it is durable when this returns.

        Args:
            flow: a flow, an agent, or the name of one.
            input: JSON-like, or of the type that the flow declares.
            key: idempotency key: the same key with the same input is the same run.
            tenant: whose run it is; the settings' tenant by default.
            priority: higher runs earlier.
            labels: text by text, to find the run by.

        Raises:
            InputInvalid: the input does not fit; the message names each field.
            KeyConflict: the key belongs to a run with another input.
            StoreError: the store cannot be written.
        """
        target = self._flow(flow)
        owner = self.settings.tenant if tenant is None else tenant
        started = await self.commands.start(target, input, tenant=owner, key=key, priority=priority, labels=labels)
        return self._handle(owner, started.run_id, target)

    async def run(self, flow: Any, input: Any = None, **options: Any) -> Any:
        """Starts a run as `start` does, waits for it, and returns its output. Raises what both raise."""
        return await (await self.start(flow, input, **options)).result()

    def handle(self, run_id: str, *, tenant: str | None = None) -> RunHandle:
        """A handle on a run by its id; nothing is looked up yet."""
        return self._handle(self.settings.tenant if tenant is None else tenant, run_id, None)

    async def open(self) -> None:
        """Connects and begins to work. Raises StoreError."""
        await self.services.store.open()
        await self.reopen()

    async def reopen(self) -> None:
        """Begins to work on a store that is open already."""
        await self.services.bell.open()
        self.results.open()
        if self.worker is not None:
            await self._app.opened(self.settings)
            await self.worker.start()

    async def close(self) -> None:
        """Drains the worker and disconnects; runs that have not ended go on elsewhere or later."""
        if self.worker is not None and self.worker.started:
            await self.worker.stop()
        await self.results.close()
        await self.services.bell.close()
        await self.services.store.close()

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

    def _handle(self, tenant: str, run_id: str, flow: Flow | None) -> RunHandle:
        return RunHandle(self.services, self.commands, self.results, tenant, run_id, flow)


@asynccontextmanager
async def open(
    app: Flows,
    store: str | None = None,
    *,
    worker: bool = True,
    settings: Settings | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Runtime]:
    """Opens an app on a store and closes it at the end of the block.

    Args:
        app: the App.
        store: a URL such as `sqlite:///file.db`, `sqlite:////absolute/file.db` or `sqlite://` for memory;
            by default the settings' store.
        worker: whether runs are executed in this process.
        settings: all options; read from the environment by default.
        clock: where time comes from; the machine's by default.

    Raises:
        StoreError: the store cannot be opened; the message says why and what to do.
    """
    chosen = from_environment() if settings is None else settings
    if store is not None:
        chosen = msgspec.structs.replace(chosen, store=store)
    runtime = build(app, chosen, worker=worker, clock=clock)
    try:
        await runtime.open()
        yield runtime
    finally:
        await runtime.close()


def build(
    app: Flows, settings: Settings, *, worker: bool = True, clock: Clock | None = None, store: Store | None = None
) -> Runtime:
    """Wires a runtime that is not open yet."""
    ticking = SystemClock() if clock is None else clock
    path = _sqlite_path(settings.store)
    flows = {flow.full_name: flow for flow in app.flows()}
    newest = {flow.name: flow for flow in flows.values()}
    services = Services(
        store=sqlite_store(path, ticking) if store is None else store,
        bell=_bell(path),
        stream=InProcessStream(),
        clock=ticking,
        ids=Ids(ticking.now, os.urandom),
        chance=random.SystemRandom(),
        settings=settings.engine,
        flows=flows,
        find=newest.get,
    )
    return Runtime(app, services, settings, worker=worker)


def sqlite_store(path: str, clock: Clock, fault: Fault | None = None) -> Store:
    """A SQLite store that is not open yet. `fault` is the crash tests' hook, called around each commit."""
    return SqliteStore(path, fault=fault, monotonic=clock.monotonic)


def _bell(path: str) -> Bell:
    if path == MEMORY:
        return InProcessBell()
    return FifoBell(Path(os.path.abspath(path) + "-live"), f"{os.getpid()}-{time.monotonic_ns():x}", InProcessBell())


def _sqlite_path(url: str) -> str:
    if url in ("sqlite://", "sqlite:///:memory:"):
        return MEMORY
    scheme, found, path = url.partition(":///")
    if not found or scheme != "sqlite" or not path:
        raise InputInvalid(
            f"store={url!r} is not a store that this version knows",
            remedy="use sqlite:///file.db (relative), sqlite:////folder/file.db (absolute) or sqlite:// (memory)",
        )
    return path


__all__ = ["ApprovalStatus", "Flow", "RunHandle", "Runtime", "build", "open"]
