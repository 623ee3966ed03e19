"""One process of a play: executes runs until all have ended, or until it is killed at the commit it was told."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from callboard.domain.event import OUTCOMES, Event
from callboard.domain.run import Run, RunStatus
from callboard.engine.clock import SystemClock
from callboard.runtime import Runtime, build
from callboard.store.approvals import ApprovalStatus
from callboard.store.claims import Claim
from callboard.store.journal import Extras
from callboard.store.store import Store
from callboard.wiring import sqlite_store
from tests.crash import scenario
from tests.crash.ledger import effect_id
from tests.crash.shop import LEDGER, app
from tests.crash.stage import Order, Point, Report, Row, RunReport, recorded_path, settings

INPUTS = {"everything": "O1", "announcements": None, "family": "smith", "till": "T"}
_LOOK = 0.01  # seconds between looks whether all runs have ended
_MANY_DEATHS = 1_000


class Fate:
    """A fault hook: counts commits and kills the process, without any ado, around the one it was told."""

    def __init__(self, point: Point, nth: int) -> None:
        self._point = point
        self._nth = nth
        self.commits = 0

    def __call__(self, point: str) -> None:
        """Called around each commit."""
        if point == "before_commit":
            self.commits += 1
        if self.commits == self._nth and point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


def dies_of_work(store: Store, appends: int) -> None:
    """Kills the process as soon as it has journaled so many times.

    Claims, sweeps and heartbeats do not count. So every process of a row of them that die like this gets on with its
    runs, on a machine of any speed: on a slow one the sweeps alone would use up any number of commits.
    """
    journal: Any = store.journal
    append, left = journal.append, appends

    async def counted(written: Awaitable[None]) -> None:
        nonlocal left
        await written
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def mortal(claim: Claim, events: Sequence[Event], extras: Extras | None = None) -> Awaitable[None]:
        return counted(append(claim, events, extras))

    journal.append = mortal


def live(order: Order, life: int, nth: int) -> None:
    """Lives the `life`-th life of a play, and dies at its `nth` commit, or `again` append, if that is not 0."""
    asyncio.run(_live(order, life, Fate(order.point, 0 if order.again else nth), nth if order.again else 0))


async def _live(order: Order, life: int, fate: Fate, appends: int) -> None:
    folder = Path(order.folder)
    LEDGER.open(folder / "ledger", life)
    clock = SystemClock()
    store = sqlite_store(str(folder / "store.db"), clock, fate)
    if appends:
        dies_of_work(store, appends)
    options = settings(folder, max_deaths=_MANY_DEATHS if order.again else 3)
    rt = build(app, options, clock=clock, store=store)
    await store.open()
    recorded_path(folder, life).write_bytes(msgspec.json.encode(sorted(await _recorded(rt))))
    await rt.reopen()
    flow = getattr(scenario, order.scenario)
    await rt.results.outcome(options.tenant, (await rt.start(flow, INPUTS[order.scenario], key="the play")).id)
    while not all(run.status.ended for run in await _runs(rt)):
        await asyncio.sleep(_LOOK)
    runs = {await _name(rt, run): await _report(rt, run) for run in await _runs(rt)}
    waiting = await rt.store.approvals.find(options.tenant, status=ApprovalStatus.OPEN)
    await rt.close()
    report = Report(runs, len(waiting), fate.commits)
    (folder / "report.json").write_bytes(msgspec.json.encode(report))


async def _runs(rt: Runtime) -> list[Run]:
    return await rt.store.runs.find(rt.settings.tenant)


async def _recorded(rt: Runtime) -> set[str]:
    """The effects that have an outcome already."""
    return {
        effect_id(event.path.partition(":")[2], event.digest)
        for run in await _runs(rt)
        for event in await rt.store.journal.read(run.tenant, run.id)
        if event.kind in OUTCOMES
    }


async def _name(rt: Runtime, run: Run) -> str:
    started = (await rt.store.journal.read(run.tenant, run.id, limit=1))[0]
    return f"{run.flow} {started.body.decode()}"


async def _report(rt: Runtime, run: Run) -> RunReport:
    events = await rt.store.journal.read(run.tenant, run.id)
    error = None if run.error is None else (run.error.code, run.error.kind)
    return RunReport(
        run.status,
        events[-1].value() if run.status is RunStatus.SUCCEEDED else None,
        error,
        (run.usage.input_tokens, run.usage.output_tokens, run.usage.cost),
        [Row(e.seq, e.kind.name, e.path, e.digest.hex(), e.value()) for e in events],
    )
