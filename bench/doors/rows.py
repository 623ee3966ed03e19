"""The rows of `doors` and `pages`, in words, with what we aim at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A key; see bench.figure.Goal."""

    key: str
    what: str
    unit: str
    sqlite: float | None = None
    postgres: float | None = None
    more: bool = False
    of_floor: bool = False


def _times(key: str, what: str) -> tuple[Row, ...]:
    return tuple(
        Row(f"{key}_{share}", f"{what}: {words}", "ms") for share, words in (("p50", "half of"), ("p99", "99 %"))
    )


def _overload(key: str, what: str) -> tuple[Row, ...]:
    return (
        Row(f"{key}_offered", f"{what}: requests", "1/s", more=True),
        Row(f"{key}_admitted", "of them let in", "1/s", more=True),
        Row(f"{key}_p99", "99 % of those let in are answered within", "ms", 1_000, 1_000),
        Row(f"{key}_shed", "answered with 429", "%"),
        Row(f"{key}_shed_p99", "99 % of those within", "ms"),
        Row(f"{key}_wrong", "answered with anything else, lost, or not at all", "1"),
        Row(f"{key}_memory", "growth of the door's memory meanwhile", "MB", 100, 100),
    )


PAGES = {
    "home": "/console",
    "runs": "/console/runs",
    "failed": "/console/runs?status=failed&span=all",
    "search": "/console/runs?q=blue&span=all",
    "nothing": "/console/runs?q=nobody+has+this&span=all",
    "run": "/console/runs/{run}",
    "run_long": "/console/runs/{long}",
    "run_end": "/console/runs/{long}?end=1",
    "events": "/console/runs/{run}/events",
    "approvals": "/console/approvals",
    "costs": "/console/costs",
    "costs_agent": "/console/costs?by=agent",
    "costs_quarter": "/console/costs?range=90d&by=version",
    "health": "/console/health",
    "catalog": "/console/catalog",
    "audit": "/console/audit",
    "access": "/console/access",
    "settings": "/console/settings",
}
# Those of which one may think that they take longer the more runs there are.
PAGES_OF_A_MILLION = {
    name: PAGES[name] for name in ("home", "runs", "failed", "search", "nothing", "health", "approvals")
} | {"runs_all": "/console/runs?span=all"}


def _page(key: str, path: str, runs: str) -> tuple[Row, ...]:
    return (
        Row(key, f"{path} on {runs} runs: half of 20", "ms", 100, 100),
        Row(f"{key}_p95", "95 % of them", "ms"),
        Row(f"{key}_size", "its size", "kB", 300, 300),
    )


ROWS: tuple[Row, ...] = (
    Row("door_rate", "starts over HTTP, 200 clients", "1/s", 2_000, 2_000, more=True),
    Row("door_direct_rate", "the same, calling the runtime", "1/s", more=True),
    Row("door_cpu", "the door's processor time for a start", "µs"),
    Row("door_direct_cpu", "the same, calling the runtime", "µs"),
    Row("door_added_cpu", "what the door adds, beside a bare route", "µs", 3.0, 3.0, of_floor=True),
    *_times("door_full", "a start with 200 clients"),
    *_times("door_full_direct", "the same, calling the runtime"),
    *_times("door_half", "a start at half of door_rate"),
    *_times("door_half_direct", "the same, calling the runtime"),
    Row("streams_memory", "memory of a reader, 1,000 of them open", "kB", 100, 100),
    *_times("streams", "from an event to its reader, worker elsewhere"),
    *_times("streams_here", "the same, worker in the door's process"),
    *_overload("over", "twice door_rate, limits as they come"),
    *_overload("crowd", "the same without limits of rates"),
    Row("page_first", "the first page that a door is asked for", "ms", 100, 100),
    *(row for name, path in PAGES.items() for row in _page(f"page_{name}", path, "100,000")),
    *(row for name, path in PAGES_OF_A_MILLION.items() for row in _page(f"million_{name}", path, "1,000,000")),
)
