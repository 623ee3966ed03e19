"""Calls that go wrong on order, and a report on whether each declared policy did what it says.

async with chaos(app, [FaultRule(kind="503", upstream="shop", nth=1)], seed=1) as storm:
    await storm.run(handle, task)
    report = storm.report()
    assert report.ok, report.text()
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from callboard.agents.surroundings import Surroundings
from callboard.agents.tool import JournaledTool
from callboard.domain.event import Event
from callboard.domain.run import RunStatus
from callboard.resilience.faults import FaultKind, FaultRule, Faults
from callboard.runtime import ApprovalStatus, Flows
from callboard.settings import Settings
from callboard.testing.chaos_report import ChaosReport, merged
from callboard.testing.clock import WindingClock
from callboard.testing.evidence import Death, Evidence, Weathered
from callboard.testing.judging import judge
from callboard.testing.runtime import TestRuntime, runtime

HANG = 0.02
"""Seconds after which a call that hangs is given up by its own client, where its rule does not say otherwise."""

_LAG = 0.005  # seconds of a slow answer, and between two pieces of it, where its rule does not say otherwise
_HORIZON = 7 * 86_400.0  # seconds that are wound at most while runs wait
_GRAIN = 0.25  # seconds: timers this near to each other ring together, or many runs would take many windings
_REPEATS = 20
_TICK = 0.002
_MOVING = frozenset({RunStatus.READY, RunStatus.RUNNING})
_PATIENCE = 60.0  # real seconds until all that can move has moved


class Chaos:
    """A runtime whose calls go wrong as ordered. `test` is the runtime, `faults` decides and counts."""

    def __init__(self, app: Flows, test: TestRuntime, faults: Faults, seed: int, died: asyncio.Event) -> None:
        self._app = app
        self._seed = seed
        self._died = died
        self._runs: dict[str, Weathered] = {}
        self._flows: dict[str, str] = {}
        self._journals: dict[str, list[Event]] = {}
        self._opened: set[str] = set()
        self._deaths: list[Death] = []
        self.test = test
        self.faults = faults
        self.kills = 0

    async def run(self, flow: Any, input: Any = None, **options: Any) -> Weathered:
        """Starts a run and stays with it until it has ended or nothing but a person can move it."""
        return (await self.play(flow, [input], **options))[0]

    async def play(self, flow: Any, inputs: Iterable[Any], **options: Any) -> list[Weathered]:
        """Starts a run for each input, all at once, and stays with them as `run` does."""
        started = [(await self.test.start(flow, each, **options)).id for each in inputs]
        await self._stay(started)
        found = [await self._weathered(run_id) for run_id in started]
        for each in found:
            self._runs[each.run_id] = each
            self._flows[each.run_id] = str(getattr(flow, "name", flow))
        await self._read(started)
        return found

    def report(self) -> ChaosReport:
        """What struck, what was done about it, whether that is what the policies say, and what was never tried."""
        return judge(
            Evidence(
                seed=self._seed,
                tools={name: declared.tool for name, declared in self._tools.items()},
                policies={
                    name: found for name, declared in self._tools.items() if (found := declared.policy) is not None
                },
                around=self._around,
                tallies=tuple(self.faults.tallies),
                struck=tuple(self.faults.struck),
                runs=tuple((self._flows[run_id], found) for run_id, found in self._runs.items()),
                journals=self._journals,
                opened=frozenset(self._opened),
                deaths=tuple(self._deaths),
            )
        )

    @property
    def _tools(self) -> dict[str, JournaledTool]:
        return getattr(self._app, "tools", {})

    @property
    def _around(self) -> Surroundings:
        found: Surroundings = self.test.rt.services.carried[Surroundings]
        return found

    async def _stay(self, run_ids: Sequence[str]) -> None:
        end = self.test.clock.now() + _HORIZON
        patience = time.monotonic() + _PATIENCE
        while True:
            await self._settle()
            statuses = {(await self.test.rt.handle(run_id).run()).status for run_id in run_ids}
            if all(status.ended for status in statuses):
                return
            if statuses & _MOVING and time.monotonic() < patience:  # a new worker has not looked yet
                await asyncio.sleep(_TICK)
                continue
            due = await self.test.next_due()
            if due is None or due > end:
                return
            self.test.clock.set(max(due, self.test.clock.now()) + _GRAIN)
            patience = time.monotonic() + _PATIENCE

    async def _settle(self) -> None:
        """Until every run has ended or waits; a worker that dies on the way is followed by the next."""
        while True:
            settled = asyncio.create_task(self.test.settle(_PATIENCE))
            died = asyncio.create_task(self._died.wait())
            try:
                await asyncio.wait((settled, died), return_when=asyncio.FIRST_COMPLETED)
            finally:
                died.cancel()
                if not settled.done():
                    settled.cancel()
                    await asyncio.wait((settled,))
            self._look()
            if not self._died.is_set():
                if not settled.cancelled():
                    settled.result()
                return
            with suppress(BaseException):
                settled.result()
            self._died.clear()
            self.kills += 1
            await self.test.kill()
            await self._bury()
            await self.test.restart()

    async def _bury(self) -> None:
        """Notes how far the runs had come whose calls were struck in this life of the worker."""
        rt, before = self.test.rt, self._deaths[-1].strikes if self._deaths else 0
        struck = [fault for fault in self.faults.struck if fault.number > before]
        ids = {fault.key.partition("-")[0] for fault in struck if fault.key is not None}
        ends = {run_id: len(await rt.store.journal.read(rt.settings.tenant, run_id)) - 1 for run_id in ids}
        self._deaths.append(Death(max((fault.number for fault in struck), default=before), ends))

    def _look(self) -> None:
        """Notes the breakers that are open; they may be closed again at the end."""
        for gate in self._around.upstreams.all():
            if gate.seen().phase != "closed":
                self._opened.add(gate.upstream.name)

    async def _weathered(self, run_id: str) -> Weathered:
        rt = self.test.rt
        tenant = rt.settings.tenant
        run = await rt.store.runs.get(tenant, run_id)
        outcome = (await rt.store.runs.outcomes(tenant, [run_id])).get(run_id)
        asked = await rt.store.approvals.find(tenant, status=ApprovalStatus.OPEN, run_id=run_id)
        return Weathered(
            run_id,
            run.status,
            None if outcome is None else outcome.output,
            run.error,
            tuple(each.proposal for each in asked),
        )

    async def _read(self, started: Sequence[str]) -> None:
        """The journals of these runs, and of runs below them as far as calls there were struck."""
        below = {fault.key.partition("-")[0] for fault in self.faults.struck if fault.key is not None}
        for run_id in {*started, *(below - self._journals.keys())}:
            self._journals[run_id] = list(await self.test.rt.store.journal.read(self.test.rt.settings.tenant, run_id))


@asynccontextmanager
async def chaos(
    app: Flows,
    rules: Sequence[FaultRule | dict[str, Any]] = (),
    *,
    seed: int = 1,
    path: str | Path | None = None,
    hang: float | None = HANG,
    options: Settings | None = None,
) -> AsyncIterator[Chaos]:
    """Opens an app on a test's runtime, where calls of its tools and models go wrong as ordered.

    Time is wound: back-offs, Retry-After, breakers and limits pass at once. A fault that kills ends the worker as if
    its process had died, and the next one takes over.

    Args:
        app: the App.
        rules: what goes wrong; as FaultRule, or its fields as a dict.
        seed: of the rules with a probability.
        path: a SQLite file; in memory by default.
        hang: seconds after which a call that a rule lets hang is given up by its own client; None lets it hang until
            the tool's or the model's declared time limit, in real time.
        options: settings in place of the defaults; their store is not used.

    Raises InputInvalid for rules that cannot be.
    """
    ordered = [_timed(msgspec.convert(rule, FaultRule) if isinstance(rule, dict) else rule, hang) for rule in rules]
    clock, died = WindingClock(), asyncio.Event()
    chance = random.Random(seed)  # noqa: S311 - it is to come out alike again
    faults = Faults(ordered, chance=chance, now=clock.now, killer=died.set)
    async with runtime(app, path, clock=clock, faults=faults, options=options) as test:
        yield Chaos(app, test, faults, seed, died)


@dataclass(frozen=True, slots=True)
class Round:
    """Rules that are tried together, under a title."""

    title: str
    rules: tuple[FaultRule, ...]


def every_kind() -> list[Round]:
    """Each kind of fault in a round of its own, in which it strikes the first call of each tool and each model.

    Kinds that differ by whether the call had arrived are tried both ways.
    """
    rounds = [Round(str(kind), (FaultRule(kind=kind, nth=1, each=True),)) for kind in FaultKind]
    for kind in (FaultKind.TIMEOUT, FaultKind.ERROR, FaultKind.KILL):
        rounds.append(Round(f"{kind}, answer lost", (FaultRule(kind=kind, nth=1, each=True, after=1),)))
    waiting = FaultRule(kind=FaultKind.RATE_LIMITED, nth=1, each=True, retry_after=7.0)
    away = FaultRule(kind=FaultKind.UNAVAILABLE, nth=(1, 2, 3, 4, 5, 6))
    return [*rounds, Round("429 with Retry-After", (waiting,)), Round("503 six times in a row", (away,))]


async def sweep(
    app: Flows,
    flow: Any,
    inputs: Sequence[Any],
    rounds: Sequence[Round] | None = None,
    *,
    folder: str | Path,
    seed: int = 1,
    hang: float | None = HANG,
    options: Settings | None = None,
    told: Callable[[Round, ChaosReport], None] = lambda round, report: None,
) -> ChaosReport:
    """Tries rounds of rules, each on a store of its own, and puts their reports together.

    Args:
        app: the App.
        flow: what is run.
        inputs: a run for each, all at once.
        rounds: what goes wrong; by default `every_kind()`, where a round is repeated as long as it strikes something
            new: a call that fails for good may end a run before it comes to its other calls.
        folder: where the stores are made, and what tools open beside them.
        seed: of the rules with a probability.
        hang: see `chaos`.
        options: see `chaos`.
        told: called after each round.
    """
    reports = []
    for number, each in enumerate(every_kind() if rounds is None else rounds):
        path = Path(folder, str(number), "chaos.db")
        path.parent.mkdir(parents=True, exist_ok=True)
        async with chaos(app, each.rules, seed=seed, path=path, hang=hang, options=options) as storm:
            for _ in range(_REPEATS):
                before = len(storm.faults.struck)
                await storm.play(flow, inputs)
                if rounds is not None or len(storm.faults.struck) == before:
                    break
            reports.append(storm.report())
        told(each, reports[-1])
    return merged(reports)


def _timed(rule: FaultRule, hang: float | None) -> FaultRule:
    if rule.seconds is not None:
        return rule
    wait = {FaultKind.TIMEOUT: hang, FaultKind.SLOW: _LAG}.get(rule.kind)
    return rule if wait is None else msgspec.structs.replace(rule, seconds=wait)
