"""The model: from runs a second, steps a run and the model's latency to workers, database and disk.

It says what the measured costs add up to. What it knows of queues is one thing: writes that come in while a
transaction is under way share the next one, so the busier a process is, the less each of its writes costs.
"""

import math
from collections.abc import Callable
from typing import Literal

import msgspec

from bench.capacity.costs import Costs

DAY = 86_400.0
Bell = Literal["postgres", "redis"]


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        runs_per_second: at the time that counts: a day's mean times what its peak is above it.
        mean_runs_per_second: over the whole day, for what is kept; the same where not given.
        steps: a run, one after the other.
        latency: seconds that a step waits for its model or tool.
        agent: steps are turns of an agent, each with a tool call, and not bare steps.
        bell: what rings for workers.
        slots: runs that a worker executes at a time (the setting `concurrency`).
        busy: the share of a core that a worker or a database may use at the peak.
        cores: of one database server.
        workers: so many, instead of as many as are needed.
        doors: processes that start runs; None for as many as are needed.
    """

    runs_per_second: float
    mean_runs_per_second: float | None = None
    steps: int = 10
    latency: float = 2.0
    agent: bool = False
    bell: Bell = "postgres"
    slots: int = 256
    busy: float = 0.6
    cores: int = 16
    workers: int | None = None
    doors: int | None = None


class Forecast(msgspec.Struct, frozen=True):
    """What it takes. Processor time in cores, sizes in bytes, storage a day of the mean rate."""

    inflight: float
    workers: int
    worker_cpu: float
    doors: int
    door_cpu: float
    server_cpu: float
    waking_cpu: float
    databases: int
    transactions: float
    log: float
    rows_per_day: float
    kept_per_day: float
    connections: float
    run_seconds: float


def forecast(load: Load, costs: Costs) -> Forecast:
    """What a load takes."""
    unit, group, run, start = costs.turn if load.agent else costs.step, costs.group, costs.run, costs.start
    rate, steps = load.runs_per_second, load.steps
    run_seconds = start.seconds + steps * (load.latency + unit.writes * group.seconds)
    inflight = rate * run_seconds

    doors = load.doors or max(1, math.ceil(rate * (start.door + start.lone_door) / load.busy))
    together = _groups(rate / doors, start.seconds)  # starts that share a transaction, and rings that share a message
    lone = together * doors / rate
    door_cpu = rate * (start.door + lone * start.lone_door)

    wake = costs.wake_redis if load.bell == "redis" else costs.wake
    rings = rate * lone
    steady = rate * (run.worker + lone * start.lone_worker + steps * unit.worker)

    def groups(workers: int) -> float:
        return workers * _groups(rate * steps * unit.writes / workers, group.seconds)

    def worker_cpu(workers: int) -> float:
        awake = workers * costs.idle.worker + rings * (workers - 1) * wake.worker
        return steady + groups(workers) * group.worker + awake

    workers = load.workers or _enough(max(1, math.ceil(inflight / load.slots)), worker_cpu, load.busy)
    transactions = groups(workers) + rate * (run.writes * lone) + workers * costs.idle.transactions
    waking = workers * costs.idle.server + rings * (workers - 1) * wake.server
    server_cpu = (
        rate * (run.server + lone * start.lone_server + steps * unit.server) + groups(workers) * group.server + waking
    )
    mean = rate if load.mean_runs_per_second is None else load.mean_runs_per_second
    return Forecast(
        inflight=inflight,
        workers=workers,
        worker_cpu=worker_cpu(workers),
        doors=doors,
        door_cpu=door_cpu,
        server_cpu=server_cpu,
        waking_cpu=waking,
        databases=max(1, math.ceil(server_cpu / (load.cores * load.busy))),
        transactions=transactions,
        log=rate * (run.log + lone * start.lone_log + steps * unit.log) + groups(workers) * group.log,
        rows_per_day=mean * DAY * (run.rows + steps * unit.rows),
        kept_per_day=mean * DAY * (run.kept + steps * unit.kept),
        connections=(workers + doors) * costs.idle.connections,
        run_seconds=run_seconds,
    )


def _groups(rate: float, seconds: float) -> float:
    """Transactions a second of one writer, where writes come in at random at this rate and each transaction takes so
    long: the next one begins at once when something has come in meanwhile, else with whatever comes next."""
    return 1 / (seconds + math.exp(-rate * seconds) / rate) if rate > 0 else 0.0


def _enough(least: int, cpu: Callable[[int], float], busy: float) -> int:
    """The smallest number of workers whose processor time each stays below what is allowed."""
    workers = least
    while (needed := math.ceil(cpu(workers) / busy)) > workers:
        if workers > 100_000:
            raise ValueError("no number of workers is enough: each further one costs the others more than it brings")
        workers = max(workers + 1, min(needed, workers * 2))
    return workers
