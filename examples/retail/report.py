"""What the demo counted, as a table."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from callboard import RunStatus
from callboard.domain.usage import NOTHING, Usage, dollars
from examples.retail.rules import ONCE


@dataclass(slots=True)
class Report:
    """Counts from the ledger (what the shop saw) and from the journal (what the runs know)."""

    runs: int
    in_hand: int
    seconds: float
    workers: int
    succeeded: int = 0
    right: int = 0
    taken_over: int = 0
    events: int = 0
    planned: int = 0
    once: int = 0
    doubled: int = 0
    lost: int = 0
    usage: Usage = NOTHING
    slowest: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """True when every run came out right and every effect happened once."""
        return self.right == self.runs and not self.doubled and not self.lost

    def count_effects(self, run_id: str, actions: list[dict[str, Any]], ledger: Counter[tuple[str, str, str]]) -> None:
        """Compares what a task asked for with what the shop's ledger says was done for its run."""
        asked: Counter[tuple[str, str]] = Counter(
            (a["name"], json.dumps(a["arguments"], sort_keys=True)) for a in actions if a["name"] in ONCE
        )
        done: Counter[tuple[str, str]] = Counter()
        for (run, tool, arguments), times in ledger.items():
            if run == run_id:
                done[tool, json.dumps(json.loads(arguments), sort_keys=True)] += times
        self.planned += asked.total()
        self.once += (asked & done).total()
        self.lost += (asked - done).total()
        self.doubled += (done - asked).total()


def show(report: Report) -> None:
    """Prints the table, and where to look next."""
    table = Table(title="What happened, counted from the shop's ledger and from the journal", min_width=72)
    table.add_column("figure")
    table.add_column("count", justify="right")
    table.add_column("from")
    for figure, count, source in (
        ("runs started", report.runs, "journal"),
        ("runs that succeeded", report.succeeded, "journal"),
        ("runs with exactly the right answers and database", report.right, "task file"),
        ("runs in the killed worker's hands", report.in_hand, "journal"),
        ("runs taken over by another worker", report.taken_over, "journal"),
        ("effects asked for", report.planned, "task file"),
        ("effects applied once", report.once, "ledger"),
        ("effects doubled", report.doubled, "ledger"),
        ("effects lost", report.lost, "ledger"),
        ("journal events", report.events, "journal"),
        (
            "tokens in / out (scripted model)",
            f"{report.usage.input_tokens:,} / {report.usage.output_tokens:,}",
            "journal",
        ),
        ("cost in dollars (scripted prices)", dollars(report.usage.cost), "journal"),
        ("seconds, start of workers included", f"{report.seconds:.1f}", "clock"),
    ):
        table.add_row(figure, str(count), source)
    console = Console()
    console.print(table)
    console.print("slowest runs:")
    for seconds, run_id, task in sorted(report.slowest, reverse=True)[:3]:
        console.print(f"  {run_id}  {task}  {seconds:.2f} s")
    run_id = max(report.slowest)[1]
    store = "--store sqlite:///.callboard-demo/callboard.db"
    console.print("where to look next:")
    console.print(f"  .venv/bin/callboard runs list {store}", soft_wrap=True)
    console.print(f"  .venv/bin/callboard runs events {run_id} {store}", soft_wrap=True)
    console.print("  README.md, then examples/retail/desk.py: the flow and the agent that you just saw", soft_wrap=True)
    console.print("sound: nothing lost, nothing doubled" if report.sound else "NOT SOUND: please report this")


def show_scenes(scenes: list[tuple[str, RunStatus, str]]) -> None:
    """Prints the runs that are there to be looked at, and how they stand."""
    for run_id, status, about in scenes:
        print(f"  {run_id}  {status:<10} {about}")
