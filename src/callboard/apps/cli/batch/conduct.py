"""From an input file to an output file, once: the whole of `callboard run` when its options are read."""

import sys
from pathlib import Path

from callboard.apps.cli import failure
from callboard.apps.cli.batch.batch import Batch
from callboard.apps.cli.batch.earlier import earlier
from callboard.apps.cli.batch.lines import read
from callboard.apps.cli.batch.output import Totals, write
from callboard.apps.cli.batch.progress import bar
from callboard.apps.cli.stop import on_signal
from callboard.domain.run import RunStatus
from callboard.domain.usage import dollars
from callboard.runtime import Flow, Flows
from callboard.runtime import open as open_runtime
from callboard.settings import Settings


async def conduct(
    app: Flows, flow: Flow, settings: Settings, source: Path, target: Path, *, allowance: int | None, retry: bool
) -> int:
    """Runs each line of `source` through the flow, writes `target`, and returns the exit code. Raises StoreError."""
    told = False
    batch: Batch | None = None

    def leave() -> None:
        nonlocal told
        told = True
        if batch is not None:
            batch.stop()

    # From before there is anything that can be left half done.
    with bar(source) as progress, on_signal(leave):
        async with open_runtime(app, settings=settings) as rt:
            assert rt.worker is not None
            lines = read(source)
            # As many runs wait in line as are executed: the worker never idles, and memory stays bounded.
            window = 2 * settings.engine.concurrency
            batch = Batch(rt, flow, lines, window=window, allowance=allowance, retry=retry, progress=progress)
            if told:
                batch.stop()
            await batch.run()
            await rt.worker.stop()
            entries = batch.entries + await earlier(rt, flow, lines)
            totals = await write(rt, entries, target)
    _summarise(totals, target)
    if batch.stopped:
        return failure.INTERRUPTED
    return 0 if totals.statuses.total() == totals.statuses[RunStatus.SUCCEEDED] else failure.NOT_ALL_SUCCEEDED


def _summarise(totals: Totals, target: Path) -> None:
    counts = totals.statuses
    states = ", ".join(f"{counts[status]} {status}" for status in RunStatus if counts[status])
    print(f"{counts.total()} lines: {states or 'none'}; ${dollars(totals.cost)}; see {target}", file=sys.stderr)
