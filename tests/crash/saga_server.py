"""Plays trials of the saga, each process forked from this one. Reads a Trial a line, writes a Played a line."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

import callboard as cb
from callboard.domain.event import EventKind
from callboard.domain.run import RunStatus
from callboard.engine.clock import SystemClock
from callboard.runtime import ApprovalStatus, Runtime, build
from callboard.store.approvals import Approval
from callboard.store.postgres import PostgresStore
from callboard.store.store import Store
from callboard.wiring import sqlite_store
from tests.crash.life import Fate, dies_of_work
from tests.crash.saga_stage import WORLD, Ending, Trial, app, trip
from tests.crash.stage import Played, settings

_PATIENCE = 180  # seconds that one process may live
_LOOK = 0.01


def main() -> None:
    """Plays until standard input ends."""
    gc.freeze()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(_play(msgspec.json.decode(line, type=Trial))) + b"\n")
        sys.stdout.buffer.flush()


def _play(trial: Trial) -> Played:
    deaths = 0
    while True:
        nth = trial.nth if trial.again or not deaths else 0
        status = _forked(lambda nth=nth: _live(trial, nth))  # type: ignore[misc]
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return Played(deaths)
        if not nth or not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            return Played(deaths, f"process {deaths + 1} ended with {status}; see standard error")
        deaths += 1
        if trial.cancel and _forked(lambda: _cancel(trial)):
            return Played(deaths, "the run could not be cancelled")


async def _live(trial: Trial, nth: int) -> None:
    """One process: executes the run until it has ended, and answers as the people would."""
    folder = Path(trial.folder)
    WORLD.open(folder / "world.db")
    clock, options = SystemClock(), settings(folder, max_deaths=1_000)
    fate = Fate(trial.point, 0 if trial.again else nth)
    store: Store
    if trial.store:
        engine = msgspec.structs.replace(options.engine, lease=2.0, beat=0.3)
        options = msgspec.structs.replace(options, store=trial.store, engine=engine)
        store = PostgresStore(trial.store, fault=fate)
    else:
        store = sqlite_store(str(folder / "store.db"), clock, fate)
    if trial.again and nth:
        dies_of_work(store, nth)
    rt = build(app, options, clock=clock, store=store)
    await store.open()
    await rt.reopen()
    handle = await rt.start(trip, trial.scenario, key=trial.folder)
    while not (run := await handle.run()).status.ended:
        questions = await store.approvals.find(run.tenant, status=ApprovalStatus.OPEN, run_id=run.id)
        for question in questions:
            with contextlib.suppress(cb.CallboardError):  # it may just have been answered
                await _answer(rt, trial, question)
        if trial.cancel and not questions and run.status is RunStatus.WAITING and not run.wake_at:
            with contextlib.suppress(cb.CallboardError):
                await handle.cancel("changed their mind")
        await asyncio.sleep(_LOOK)
    events = await store.journal.read(run.tenant, run.id)
    undone = [e.path for e in events if e.kind is EventKind.DONE and ":undo " in e.path]
    await rt.close()
    detail = {} if run.error is None else run.error.detail or {}
    left = [each["undo"].removeprefix("undo ") for each in detail.get("left", [])]
    ending = Ending(run.status, "" if run.error is None else run.error.code, left, fate.commits, undone)
    (folder / "ending.json").write_bytes(msgspec.json.encode(ending))


async def _answer(rt: Runtime, trial: Trial, question: Approval) -> None:
    call, key = question.proposal["call"], question.proposal["key"]
    decide = rt.commands.decide
    tenant = rt.settings.tenant
    if not call.startswith("undo "):  # a `once` call: they look outside
        found = WORLD.found(key)
        status = ApprovalStatus.APPROVED if found is None else ApprovalStatus.EDITED
        await decide(tenant, question.id, status, value=found, by="Mia")
        return
    WORLD.ask(call)
    if trial.scenario.startswith("given_up"):
        await decide(tenant, question.id, ApprovalStatus.REJECTED, by="Mia")
    else:
        WORLD.ask("mended")
        await decide(tenant, question.id, ApprovalStatus.APPROVED, by="Mia")


async def _cancel(trial: Trial) -> None:
    """A person cancels the run while no worker lives."""
    rt = build(app, settings(Path(trial.folder)), worker=False)
    await rt.open()
    for run in await rt.store.runs.find(rt.settings.tenant):
        with contextlib.suppress(cb.CallboardError):  # it has ended
            await rt.handle(run.id).cancel("changed their mind")
    await rt.close()


def _forked(work: Callable[[], Awaitable[None]]) -> int:
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    signal.alarm(_PATIENCE)
    code = 1
    try:
        asyncio.run(work())  # type: ignore[arg-type]
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
