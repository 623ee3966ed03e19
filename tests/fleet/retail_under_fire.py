"""All retail tasks over four workers on PostgreSQL and Redis, while a fault happens every second.

`python -m tests.fleet.retail_under_fire [--seconds-between-faults 1] [--tasks 520] [--seed 1]`: every run must come out
right, and the shop's ledger must have every effect once. The tasks are in `$CALLBOARD_SHARED/data/retail`.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import callboard as cb
from callboard.settings import EngineSettings, Settings
from examples.retail import app, handle
from examples.retail.report import Report
from examples.retail.shop import Shop
from tests.fleet import audit
from tests.fleet.fire import Fire, burning
from tests.fleet.fleet import patiently
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("CALLBOARD_SHARED", ROOT.parent / "shared"))
WORKERS = 4
LEASE = 2.0
_ENGINE = {"lease": LEASE, "beat": 0.4, "window": 1.0, "sweep": 0.5, "drain": 10.0, "max_deaths": 1_000}


@dataclass
class Outcome:
    """What came of it."""

    report: Report
    faults: Counter[str]
    started: int
    wrong: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled or wrong."""
        return self.report.sound and not self.wrong


class Program:
    """A `callboard worker` that can be hurt."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def alive(self) -> bool:
        """Whether the process is there, stopped or not."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal; nothing happens if it has died."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and it is gone when this returns."""
        self.send(signal.SIGKILL)
        self._process.wait()


def tasks(*parts: str) -> list[Any]:
    """The retail tasks of these parts, `dev` and `train`."""
    files = [SHARED / "data" / "retail" / f"tasks_{part}.jsonl" for part in parts]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


async def play(given: list[Any], gap: float, seed: int, folder: Path, *, latency: float = 0.4) -> Outcome:
    """Plays the tasks under fire. Servers of its own, since they are hurt."""
    postgres = PostgresServer.begin(durable=True, private=True)
    redis = RedisServer.begin(private=True)
    try:
        return await _play(given, gap, seed, folder, postgres, redis, latency)
    finally:
        redis.close()
        postgres.close()


async def _play(
    given: list[Any], gap: float, seed: int, folder: Path, postgres: PostgresServer, redis: RedisServer, latency: float
) -> Outcome:
    store = postgres.new_database("retail")
    settings = Settings(store=store, dispatch=redis.url, engine=EngineSettings(**_ENGINE))  # type: ignore[arg-type]
    environment = os.environ | {"CALLBOARD_RETAIL_LATENCY": str(latency), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    environment |= {f"CALLBOARD_{name.upper()}": str(value) for name, value in _ENGINE.items()}
    environment |= {"CALLBOARD_STORE": store, "CALLBOARD_DISPATCH": redis.url}
    environment |= {"CALLBOARD_RETAIL_DATA": str(SHARED / "data" / "retail")}

    def start() -> Program:
        command = [sys.executable, "-m", "callboard.apps.cli", "worker", "examples.retail", "--concurrency", "32"]
        with (folder / "workers.log").open("ab") as log:
            return Program(subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder))

    begun = time.monotonic()
    async with cb.open(app, settings=settings, worker=False) as rt:
        # The audit asks for the town's bookings, which are not there.
        for statement in ("CREATE TABLE bookings (run text NOT NULL, what text NOT NULL)", *audit.NOTED):
            await asyncio.to_thread(postgres.execute, statement, url=store)
        fire = Fire(start, WORKERS, postgres=postgres, redis=redis, lease=LEASE, seed=seed)
        try:
            async with burning(fire, gap):
                handles = [await patiently(partial(rt.start, handle, task, key=task["id"])) for task in given]
                await _all_ended(rt, len(handles), begun)
            report = await _count(rt, [h.id for h in handles], given, folder, begun)
            report.taken_over = (await asyncio.to_thread(postgres.execute, audit.CLAIMS, url=store))[0][0]
            await asyncio.sleep(LEASE * 3)  # those who live clear away those who died
            outcome = Outcome(report, fire.faults, fire.started, await audit.wrong(store, silence=LEASE * 3))
        finally:
            fire.close()
    return outcome


async def _all_ended(rt: cb.Runtime, runs: int, begun: float) -> None:
    said = begun
    while True:
        with contextlib.suppress(cb.CallboardError):
            counts = await rt.store.runs.counts("default")
            if sum(n for status, n in counts.items() if status.ended) >= runs:
                return
            if time.monotonic() - said > 10:
                said = time.monotonic()
                print(f"{said - begun:6.0f} s ", {str(k): v for k, v in counts.items()}, file=sys.stderr, flush=True)
        await asyncio.sleep(0.2)


async def _count(rt: cb.Runtime, run_ids: list[str], given: list[Any], folder: Path, begun: float) -> Report:
    report = Report(runs=len(run_ids), in_hand=0, seconds=time.monotonic() - begun, workers=WORKERS)
    ledger = Counter((e.run_id, e.tool, e.arguments) for e in Shop(folder / "retail.db").rows())
    outcomes = await rt.store.runs.outcomes("default", run_ids)
    for run_id, task in zip(run_ids, given, strict=True):
        run = await rt.store.runs.get("default", run_id)
        report.usage += run.usage
        report.count_effects(run_id, task["actions"], ledger)
        outcome = outcomes[run_id]
        report.succeeded += outcome.status is cb.RunStatus.SUCCEEDED
        answers = [action["answer"] for action in task["actions"]]
        report.right += outcome.output == {"task_id": task["id"], "answers": answers, "final_hash": task["final_hash"]}
    return report


def main() -> None:
    """Plays, prints what came of it, and exits with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds-between-faults", type=float, default=1.0)
    parser.add_argument("--tasks", type=int, default=520)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="retail-under-fire-") as folder:
        logging.basicConfig(filename=Path(folder, "door.log"))
        given = tasks("dev", "train")[: chosen.tasks]
        outcome = asyncio.run(play(given, chosen.seconds_between_faults, chosen.seed, Path(folder)))
        if not outcome.sound:
            print((Path(folder) / "workers.log").read_text()[-8_000:], file=sys.stderr)
    report = outcome.report
    print(f"seed {chosen.seed}: {report.right} of {report.runs} runs right in {report.seconds:.0f} s, "
          f"{report.taken_over} of them taken over or handed on; {outcome.started} workers started")  # fmt: skip
    print(f"effects: {report.planned} asked for, {report.once} once, {report.doubled} doubled, {report.lost} lost")
    print("faults:", ", ".join(f"{kind} {count}" for kind, count in outcome.faults.most_common()))
    for what in outcome.wrong:
        print("WRONG:", what)
    sys.exit(0 if outcome.sound else 1)


if __name__ == "__main__":
    main()
