"""The demo: several worker processes on one SQLite file, one of them killed in mid-flight, and nothing lost.

Every figure it prints is counted afterwards, from the shop's own ledger of effects and from the journal. Then a few
runs go wrong on order, and at a terminal the console shows them all.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import callboard
from callboard import RunStatus, Runtime
from examples.retail import app, handle
from examples.retail.report import Report, show, show_scenes
from examples.retail.scenes import perform, set_budgets
from examples.retail.shop import Shop, data_folder

FOLDER = Path(".callboard-demo")
STORE = f"sqlite:///{FOLDER}/callboard.db"
WORKERS = 3
ROUNDS = 6  # how often each task is played
_CONSOLE = ("-m", "callboard.apps.cli", "dev", "examples.retail", "--no-reload", "--store", STORE)
LATENCY = "0.03"  # seconds that the scripted model takes to answer, so that there is something to interrupt


def main() -> None:
    """Plays the demo and exits with 1 if anything was lost, doubled or wrong; at a terminal, after Ctrl-C."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    print(f"{WORKERS} workers on {FOLDER}/callboard.db, no key, no server; the model is scripted.")
    report = asyncio.run(play())
    show(report)
    if not report.sound:
        sys.exit(1)
    print("\nnow a few runs that go wrong on order, beside those 240 ...", flush=True)
    show_scenes(asyncio.run(perform(STORE, next(iter(_tasks().values())), FOLDER / "workers.log")))
    if sys.stdin.isatty() and sys.stdout.isatty():
        print("\nthe console, with all of this in it, until Ctrl-C:", flush=True)
        # In the place of this process, so that Ctrl-C and the exit code are the server's own.
        os.execv(sys.executable, [sys.executable, *_CONSOLE, "--port", _port()])  # noqa: S606 - a fixed command
    print(f"\nthe console shows all of this: .venv/bin/callboard dev examples.retail --store {STORE}")


async def play() -> Report:
    """Starts runs and workers, kills one worker, waits for the rest, and counts."""
    tasks = _tasks()
    async with callboard.open(app, STORE, worker=False) as rt:
        await set_budgets(rt)
        begun = time.monotonic()
        handles = [await rt.start(handle, task, key=key) for key, task in tasks.items()]
        workers = [_worker(STORE) for _ in range(WORKERS)]
        try:
            victim = await _kill_one(rt, workers, len(handles))
            await _all_ended(rt, len(handles))
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(timeout=30)
        seconds = time.monotonic() - begun
        return await _count(rt, [h.id for h in handles], list(tasks.values()), victim, seconds)


def _tasks() -> dict[str, Any]:
    lines = (data_folder() / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = [json.loads(line) for line in lines]
    return {f"{task['id']}-{round_}": task for round_ in range(ROUNDS) for task in tasks}


def _worker(store: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "callboard.apps.cli", "worker", "examples.retail", "--store", store]
    environment = os.environ | {"CALLBOARD_RETAIL_LATENCY": LATENCY}
    with (FOLDER / "workers.log").open("ab") as log:
        return subprocess.Popen([*command, "--concurrency", "16"], env=environment, stdout=log, stderr=log)


async def _kill_one(rt: Runtime, workers: list[subprocess.Popen[bytes]], runs: int) -> int:
    """Kills the busiest worker once a third of the runs have ended; returns how many runs it had in hand."""
    while (await _ended(rt)) < runs // 3:
        await asyncio.sleep(0.02)
    ours = {worker.pid for worker in workers}
    busiest = max((w for w in await rt.store.claims.workers() if w.pid in ours), key=lambda w: w.running)
    os.kill(busiest.pid, signal.SIGKILL)
    print(f"kill -9 {busiest.pid}, which had {busiest.running} runs in hand; the others go on.")
    return busiest.running


async def _all_ended(rt: Runtime, runs: int) -> None:
    async with asyncio.timeout(120):
        while (await _ended(rt)) < runs:
            await asyncio.sleep(0.05)


async def _ended(rt: Runtime) -> int:
    counts = await rt.store.runs.counts("default")
    return sum(n for status, n in counts.items() if status.ended)


async def _count(rt: Runtime, run_ids: list[str], tasks: list[Any], in_hand: int, seconds: float) -> Report:
    shop = Shop(FOLDER / "retail.db")
    ledger: Counter[tuple[str, str, str]] = Counter((e.run_id, e.tool, e.arguments) for e in shop.rows())
    outcomes = await rt.store.runs.outcomes("default", run_ids)
    report = Report(runs=len(run_ids), in_hand=in_hand, seconds=seconds, workers=WORKERS)
    for run_id, task in zip(run_ids, tasks, strict=True):
        run = await rt.store.runs.get("default", run_id)
        events = await rt.store.journal.read("default", run_id)
        report.events += len(events)
        report.taken_over += run.epoch > 1
        report.usage += run.usage
        report.slowest.append(((run.finished_at or run.created_at) - events[1].at / 1e6, run_id, task["id"]))
        report.count_effects(run_id, task["actions"], ledger)
        outcome = outcomes[run_id]
        report.succeeded += outcome.status is RunStatus.SUCCEEDED
        answers = [action["answer"] for action in task["actions"]]
        known = {"task_id": task["id"], "answers": answers, "final_hash": task["final_hash"]}
        report.right += outcome.output == known
    return report


def _port() -> str:
    """The usual one, or any other where something answers there."""
    with socket.socket() as probe:
        return "8400" if probe.connect_ex(("127.0.0.1", 8400)) else "0"


if __name__ == "__main__":
    main()
