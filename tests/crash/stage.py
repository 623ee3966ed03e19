"""Where a scenario is played, in which order processes die, and what there is to see afterwards."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from callboard.settings import EngineSettings, Settings

# Heartbeats are rare, so that commits can be counted; short windows keep reconciliations short.
_ENGINE = EngineSettings(sweep=0.02, beat=30.0, lease=60.0, window=0.1, drain=1.0)

Point = Literal["before_commit", "after_commit"]


class Order(msgspec.Struct, frozen=True):
    """A play: the scenario, its folder, and the commit around which processes are killed.

    The first process dies at the commit `nth` (0: none does); then one is left alone to finish. With `again`, each
    process dies as soon as it has journaled `nth` times, until one does not journal that often.
    """

    scenario: str
    folder: str
    point: Point = "after_commit"
    nth: int = 0
    again: bool = False


class Played(msgspec.Struct, frozen=True):
    """How a play went: how many processes were killed, and what is wrong with it, if anything is."""

    deaths: int
    trouble: str = ""


class Row(msgspec.Struct, frozen=True):
    """One event of a journal."""

    seq: int
    kind: str
    path: str
    digest: str
    value: Any = None


class RunReport(msgspec.Struct, frozen=True):
    """One run at the end. `error` has code and kind; `usage` is (input tokens, output tokens, cost)."""

    status: str
    output: Any
    error: tuple[str, str] | None
    usage: tuple[int, int, int]
    rows: list[Row]


class Report(msgspec.Struct, frozen=True):
    """All that there is to see when every run has ended: runs by flow and input, questions still open."""

    runs: dict[str, RunReport]
    open_questions: int
    commits: int


def settings(folder: Path, *, max_deaths: int = 3) -> Settings:
    """The options of every process of a play."""
    return Settings(
        store=f"sqlite:///{folder / 'store.db'}", engine=msgspec.structs.replace(_ENGINE, max_deaths=max_deaths)
    )


def recorded_path(folder: Path, life: int) -> Path:
    """Where a process writes which effects had an outcome before it began."""
    return folder / f"recorded-{life}.json"
