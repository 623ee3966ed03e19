"""The tables of docs/scale.md, made from the constants; a test holds the page to them."""

from collections.abc import Callable, Sequence

import msgspec

from bench.capacity.costs import Check, Costs
from bench.capacity.model import DAY, Bell, Forecast, Load, forecast

PEAK = 3.0  # a day's busiest time against its mean
DAYS = (1_000_000, 10_000_000, 100_000_000)
FLEETS = (2, 10, 20, 50, 100, 200)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown writes it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def costs_table(costs: Costs) -> str:
    """Each constant."""
    units = [
        (what, _micro(u.worker), _micro(u.server), _plain(u.log), _plain(u.kept), _plain(u.rows))
        for what, u in (
            ("a durable step of 200 bytes", costs.step),
            ("an agent's turn with its tool call", costs.turn),
            ("a run, beside its steps", costs.run),
        )
    ]
    group, start = costs.group, costs.start
    rest = [
        ("a transaction, beside its rows", _micro(group.worker), _micro(group.server), _plain(group.log), "", ""),
        ("a run that starts alone, so much more", _micro(start.lone_worker), _micro(start.lone_server)),
        ("a worker without work, each second", _micro(costs.idle.worker), _micro(costs.idle.server)),
        ("a start, for each further worker, PostgreSQL rings", _micro(costs.wake.worker), _micro(costs.wake.server)),
        ("the same, Redis rings", _micro(costs.wake_redis.worker), _micro(costs.wake_redis.server)),
    ]
    heads = ("one of", "worker, µs", "server, µs", "log, bytes", "kept, bytes", "rows")
    return table(heads, units + [(*row, *[""] * (len(heads) - len(row))) for row in rest])


def check_table(costs: Costs) -> str:
    """What was foretold for loads that were put on, and what they took."""
    rows = []
    for check in costs.checks:
        told = forecast(load_of(check), costs)
        what = f"{check.runs_per_second:g} runs/s × {check.steps} steps of {check.latency:g} s, {check.workers} workers"
        for name, unit, ours, theirs in (
            ("runs in flight", "", told.inflight, check.inflight),
            ("workers' processor time", " cores", told.worker_cpu, check.worker_cpu),
            ("door's processor time", " cores", told.door_cpu, check.door_cpu),
            ("server's processor time", " cores", told.server_cpu, check.server_cpu),
            ("log", " kB/s", told.log / 1e3, check.log / 1e3),
        ):
            rows.append((what, name, f"{ours:.3g}{unit}", f"{theirs:.3g}{unit}", f"{ours / theirs - 1:+.0%}"))
            what = ""
    return table(("load", "what", "model", "measured", "error"), rows)


def days_table(costs: Costs, *, agent: bool = False) -> str:
    """A million runs a day and more."""
    cells: list[tuple[str, Callable[[Forecast], str]]] = [
        ("runs in flight at the peak", lambda f: _plain(f.inflight)),
        ("workers (256 runs each)", lambda f: _plain(f.workers)),
        ("their processor time, cores", lambda f: _short(f.worker_cpu)),
        ("doors", lambda f: _plain(f.doors)),
        ("database's processor time, cores", lambda f: _short(f.server_cpu)),
        ("databases of 16 cores, 60 % busy", lambda f: _plain(f.databases)),
        ("transactions a second", lambda f: _plain(f.transactions)),
        ("log, MB/s", lambda f: _short(f.log / 1e6)),
        ("rows of the journal a day, millions", lambda f: _short(f.rows_per_day / 1e6)),
        ("kept a day, GB", lambda f: _short(f.kept_per_day / 1e9)),
        ("connections", lambda f: _plain(f.connections)),
    ]
    found = [forecast(day(count, agent=agent), costs) for count in DAYS]
    heads = ("", *(f"{count:,} runs a day" for count in DAYS))
    return table(heads, [(name, *[cell(each) for each in found]) for name, cell in cells])


def carries_table(costs: Costs) -> str:
    """The most that one database, and one core of a worker, can carry."""
    rows = []
    for what, agent in (("ten durable steps", False), ("ten turns of an agent", True)):
        cells = [f"{_short(_most(costs, cores, agent))} runs/s" for cores in (1, 4, 16)]
        unit = costs.turn if agent else costs.step
        alone = costs.group.worker * unit.writes  # each write pays its transaction when nothing else is written
        rows.append((what, *cells, f"{_short(0.6 / (costs.run.worker + 10 * (unit.worker + alone)))} runs/s"))
    return table(("a run of", "1 core, 60 % busy", "4 cores", "16 cores", "one worker, 60 % busy"), rows)


def _most(costs: Costs, cores: int, agent: bool) -> float:
    """Runs a second that keep a database as busy as it may be; by halving."""
    low, high = 0.1, 1e6
    for _ in range(60):
        middle = (low * high) ** 0.5
        try:
            told = forecast(Load(runs_per_second=middle, agent=agent, bell="redis", cores=cores), costs)
            enough = told.server_cpu <= 0.6 * cores
        except ValueError:  # no number of workers is enough
            enough = False
        low, high = (middle, high) if enough else (low, middle)
    return low


def bells_table(costs: Costs) -> str:
    """What it takes to wake a fleet: with PostgreSQL alone, and with Redis."""
    rows = []
    for workers in FLEETS:
        cells = [str(workers)]
        for rate in (0.0, 10.0, 100.0):
            for bell in ("postgres", "redis") if rate else ("postgres",):
                load = Load(runs_per_second=rate or 1e-9, bell=bell, workers=workers)
                cells.append(_short(forecast(load, costs).waking_cpu))
        rows.append(cells)
    heads = ("workers", "idle", "10 runs/s", "10, Redis", "100 runs/s", "100, Redis")
    return table(heads, rows)


def day(runs: float, *, agent: bool = False) -> Load:
    """A day's runs, ten steps of two seconds each; the fleet is made for the peak."""
    mean = runs / DAY
    bell: Bell = "redis" if mean * PEAK > 50 else "postgres"
    return Load(runs_per_second=mean * PEAK, mean_runs_per_second=mean, agent=agent, bell=bell)


def load_of(check: Check) -> Load:
    """The load that a check put on."""
    return Load(
        runs_per_second=check.runs_per_second,
        steps=check.steps,
        latency=check.latency,
        workers=check.workers,
        doors=1,
    )


def forecast_table(load: Load, costs: Costs) -> str:
    """All that is foretold for one load."""
    told = forecast(load, costs)
    return table(("what", "value"), [(field.name, _short(getattr(told, field.name))) for field in _fields()])


def _fields() -> Sequence[msgspec.structs.FieldInfo]:
    return msgspec.structs.fields(Forecast)


TABLES: dict[str, Callable[[Costs], str]] = {
    "costs": costs_table,
    "check": check_table,
    "days": days_table,
    "agent days": lambda costs: days_table(costs, agent=True),
    "carries": carries_table,
    "bells": bells_table,
}


def _micro(seconds: float) -> str:
    return _short(seconds * 1e6)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
