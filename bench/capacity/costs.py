"""The constants of the model, as they were measured: one file, which the command and docs/scale.md both read."""

from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("measured.json")


class Unit(msgspec.Struct, frozen=True):
    """What one of something costs where many go together. Processor time in seconds, sizes in bytes.

    Attributes:
        worker: processor time of the worker's process.
        server: of the database's server, all of its processes.
        log: write-ahead log.
        kept: what it takes on disk for as long as the run is kept, indexes included.
        rows: rows of the journal.
        writes: appends, each of which waits for its commit.
    """

    worker: float
    server: float
    log: float
    kept: float
    rows: float
    writes: float


class Group(msgspec.Struct, frozen=True):
    """What each transaction costs, however little is in it. `seconds` is how long its commit takes."""

    worker: float
    server: float
    log: float
    seconds: float


class Start(msgspec.Struct, frozen=True):
    """What a run costs beside its steps.

    Attributes:
        door: processor time of the process that starts it and waits for its result.
        lone_door: so much more when no other run starts at the same time.
        lone_worker: and in the worker.
        lone_server: and in the server.
        lone_log: write-ahead log that it then writes beyond `run.log`.
        seconds: how long a lone run takes from start to result.
    """

    door: float
    lone_door: float
    lone_worker: float
    lone_server: float
    lone_log: float
    seconds: float


class Idle(msgspec.Struct, frozen=True):
    """What a worker costs in a second in which it has nothing to do."""

    worker: float
    server: float
    transactions: float
    connections: float


class Wake(msgspec.Struct, frozen=True):
    """What one start costs for each further worker that hears of it."""

    worker: float
    server: float


class Check(msgspec.Struct, frozen=True):
    """A load that was put on, and what it took: processor time in cores, log in bytes a second."""

    runs_per_second: float
    steps: int
    latency: float
    workers: int
    seconds: float
    inflight: float
    door_cpu: float
    worker_cpu: float
    server_cpu: float
    log: float


class Costs(msgspec.Struct, frozen=True):
    """All constants. `machine` says where they were measured."""

    machine: str
    step: Unit
    turn: Unit
    run: Unit
    group: Group
    start: Start
    idle: Idle
    wake: Wake
    wake_redis: Wake
    checks: tuple[Check, ...] = ()


def load(path: Path = FILE) -> Costs:
    """The constants that were measured last."""
    return msgspec.json.decode(path.read_bytes(), type=Costs)


def save(costs: Costs, path: Path = FILE) -> None:
    """Keeps them, rounded to what a measurement can say."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(_rounded(msgspec.to_builtins(costs))), indent=2) + b"\n")


def _rounded(value: object) -> object:
    match value:
        case float():
            return float(f"{value:.3g}")
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
        case _:
            return value
