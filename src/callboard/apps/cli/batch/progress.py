"""How far a batch is: counts, and a bar that shows them on a terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from callboard.apps.cli.batch.lines import count
from callboard.domain.run import Run, RunStatus
from callboard.domain.usage import dollars


@dataclass(slots=True)
class Progress:
    """Counts of lines. Nobody sees them unless `bar` shows them."""

    done: int = 0
    executed: int = 0
    failed: int = 0
    resting: int = 0
    put_off: int = 0
    cost: int = 0

    def passed(self, *, failed: bool = False) -> None:
        """A line is done without a run of its own."""
        self.done += 1
        self.failed += failed

    def ended(self, run: Run, *, here: bool) -> None:
        """A line's run has ended, `here` or in an earlier command."""
        self.done += 1
        self.executed += here
        self.failed += run.status is not RunStatus.SUCCEEDED
        self.cost += run.usage.cost

    def show(self) -> None:
        """Brings what is shown up to date."""


@contextmanager
def bar(source: Path) -> Iterator[Progress]:
    """A bar on stderr, if that is a terminal, as long as the input file has lines."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    with Display(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("", total=count(source), counts="")
        began = time.monotonic()

        class Shown(Progress):
            def show(self) -> None:
                rate = self.executed / max(time.monotonic() - began, 0.001)
                counts = f"{rate:.1f}/s  ${dollars(self.cost)}  {self.failed} failed"
                if self.resting:
                    counts += f"  {self.resting} waiting"
                if self.put_off:
                    counts += f"  {self.put_off} put off, the queue is full"
                display.update(task, completed=self.done + self.resting, counts=counts)

        yield Shown()
