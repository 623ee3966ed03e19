"""Puts a journal, or the beginning of one, into an empty store and lets a worker of today go on from there."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from callboard.domain.event import Event
from callboard.domain.run import Run, RunStatus
from callboard.runtime import Flows
from callboard.settings import EngineSettings, Settings
from callboard.store.claims import Release
from callboard.store.runs import NewRun
from callboard.store.store import Store
from callboard.testing import TestRuntime, WindingClock
from callboard.wiring import MEMORY
from tests.replay.journal_file import KeptRun

TENANT = "default"
_SCRIBE = "scribe"
_ENGINE = EngineSettings(sweep=0.02, beat=30.0, lease=60.0, window=1.0, drain=1.0)


@dataclass(frozen=True)
class Resumed:
    """A run after a worker of today has had it."""

    status: RunStatus
    events: list[Event]


@asynccontextmanager
async def resumed(
    app: Flows, kept: KeptRun, events: Sequence[Event], *, cancel: bool = False
) -> AsyncIterator[TestRuntime]:
    """A runtime in which the run has come as far as these events say, at the time of the last one.

    With `cancel`, it was cancelled while nobody executed it.
    """
    clock = WindingClock(events[-1].at / 1e6)
    test = TestRuntime(app, Settings(store="sqlite://", engine=_ENGINE), clock, MEMORY, None)
    await test.rt.store.open()
    await _fill(test.rt.store, kept, events)
    if cancel:
        await test.rt.handle(kept.id).cancel("meanwhile")
    await test.rt.reopen()
    try:
        yield test
    finally:
        await test.rt.close()


async def state_of(test: TestRuntime, run_id: str) -> Resumed:
    """Where the run stands."""
    run: Run = await test.rt.store.runs.get(TENANT, run_id)
    return Resumed(run.status, await test.rt.store.journal.read(TENANT, run_id))


def told(event: Event) -> tuple[Any, ...]:
    """What an event says, apart from when."""
    return event.seq, event.kind, event.path, event.digest, event.body


async def _fill(store: Store, kept: KeptRun, events: Sequence[Event]) -> None:
    """Writes events as the worker that recorded them did: under a claim, which is then given back."""
    started, *later = events
    new = NewRun(
        id=kept.id, tenant=TENANT, flow=kept.flow, version=kept.version, input=started.body, digest=started.digest,
        at=started.at / 1e6,
    )  # fmt: skip
    await store.runs.start(new)
    await store.claims.register(_SCRIBE, started.at / 1e6)
    (claimed,) = await store.claims.claim(_SCRIBE, [f"{kept.flow}@{kept.version}"], 1, events[-1].at / 1e6)
    if later:
        await store.journal.append(claimed.claim, later)
    await store.claims.settle(claimed.claim, Release())
    await store.claims.retire(_SCRIBE)
