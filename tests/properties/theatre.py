"""Plays a program on a test runtime while its worker is killed, its clock is wound and its signals come at any time."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import apsw

import callboard as cb
from callboard.domain.errors import StoreError
from callboard.domain.event import OUTCOMES, Event
from callboard.domain.run import Run, RunStatus
from callboard.settings import EngineSettings
from callboard.testing import TestRuntime
from tests.properties.interpreter import WORLD, interpret
from tests.properties.programs import Program, waits_by_run

SETTINGS = EngineSettings(sweep=0.01, beat=30.0, lease=60.0, window=1.0, drain=2.0, max_deaths=1_000)
_ROUNDS = 400
_LOOK = 0.001  # seconds between looks whether the process has died


class Death(StoreError):
    """The end of a process: it writes nothing any more."""


class Mortal:
    """A fault hook that lets a process die at a commit. A process is known by the thread that writes for it."""

    def __init__(self) -> None:
        self.left: int | None = None  # commits until somebody dies
        self._dead: list[threading.Thread] = []

    def __call__(self, point: str) -> None:
        """Called around each commit."""
        thread = threading.current_thread()
        if point != "before_commit":
            return
        if thread not in self._dead and self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                self._dead.append(thread)
        if thread in self._dead:
            raise Death("the process has died")


class Play:
    """One run of a program with all that belongs to it."""

    def __init__(self, test: TestRuntime, program: Program, mortal: Mortal, path: Path) -> None:
        self.test = test
        self.program = program
        self.recorded: dict[int, set[str]] = {0: set()}
        self._mortal = mortal
        self._path = path
        self._unsent = dict(waits_by_run(program))
        self._first = ""

    async def begin(self) -> None:
        """Starts the run; from now on every change of a status is written down."""
        with apsw.Connection(str(self._path)) as db:
            db.execute("CREATE TABLE moves (run INTEGER, was TEXT, now TEXT)")
            db.execute(
                "CREATE TRIGGER moved AFTER UPDATE OF status ON runs WHEN old.status <> new.status "
                "BEGIN INSERT INTO moves VALUES (new.number, old.status, new.status); END"
            )
        self._first = (await self.test.start(interpret, self.program)).id

    async def act(self, action: tuple[str, int]) -> None:
        """Disturbs the run."""
        match action:
            case ["wind", seconds]:
                await self.test.wind(seconds)
            case ["settle", _]:
                await self.test.settle()
            case ["signal", which]:
                await self._send(which)
            case ["cancel", _]:
                handle = self.test.rt.handle(self._first)
                if not (await handle.status()).ended:
                    await handle.cancel("as ordered")
            case ["kill", commits]:
                await self._kill(commits)

    async def finish(self) -> Any:
        """Lets everything go its way until all runs have ended; returns the outcome of the first one."""
        for _ in range(_ROUNDS):
            await self.test.settle()
            if all(run.status.ended for run in await self.runs()):
                break
            if not await self._send(0):
                runs = await self.runs()
                dues = [run.wake_at for run in runs if run.wake_at is not None]
                assert dues, f"somebody waits for nothing: {[(run.id, run.status) for run in runs]}"
                await self.test.wind(max(0.0, min(dues) - self.test.clock.now()))
        try:
            return await self.test.rt.handle(self._first).result(timeout=30)
        except cb.RunCancelled:
            return RunStatus.CANCELLED

    async def runs(self) -> list[Run]:
        """All runs."""
        return await self.test.rt.store.runs.find("default")

    async def journals(self) -> list[list[Event]]:
        """All journals."""
        return [await self.test.rt.store.journal.read(run.tenant, run.id) for run in await self.runs()]

    def moves(self) -> set[tuple[RunStatus, RunStatus]]:
        """Every change of status that there was."""
        with apsw.Connection(str(self._path)) as db:
            moves = db.execute("SELECT was, now FROM moves").fetchall()
        return {(RunStatus(str(was)), RunStatus(str(now))) for was, now in moves}

    async def _send(self, which: int) -> bool:
        """Sends a signal to a run that waits for it or will, if there is such a run by now."""
        labelled = {run.labels.get("spawned"): run for run in await self.runs()}
        known = [n for n, owner in self._unsent.items() if (None if owner is None else str(owner)) in labelled]
        if not known:
            return False
        number = known[which % len(known)]
        owner = self._unsent.pop(number)
        run = labelled[None if owner is None else str(owner)]
        if run.status.ended:
            return await self._send(which)
        await self.test.rt.handle(run.id).signal(f"signal_{number}", ["sent", number])
        return True

    async def _kill(self, commits: int) -> None:
        """The process dies after so many more commits, or when nothing more happens; then there is another."""
        self._mortal.left = commits
        settling = asyncio.create_task(self.test.settle())
        while not settling.done() and self._mortal.left is not None:
            await asyncio.sleep(_LOOK)
        settling.cancel()
        await asyncio.wait([settling])
        self._mortal.left = None
        await self.test.kill()
        await self.test.restart()
        WORLD.life += 1
        self.recorded[WORLD.life] = await self._recorded()

    async def _recorded(self) -> set[str]:
        """Calls that have an outcome; of tools, by their keys."""
        found: set[str] = set()
        for journal in await self.journals():
            keys = {event.path: _fields(event)["key"] for event in journal if "key" in _fields(event)}
            for event in journal:
                if event.kind in OUTCOMES:
                    found.add(keys.get(event.path, event.path.partition(":")[2]))
        return found


def _fields(event: Event) -> Any:
    value = event.value()
    return value if isinstance(value, dict) else {}
