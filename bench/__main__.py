"""The command: chooses what to measure, and says what came of it."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from bench import agent_loop, children, conversation, dispatch, machine, report, resume, steps, waiting
from bench.figure import GOALS, Figure
from bench.scratch import Scratch, scratch

Measure = Callable[[Scratch], Coroutine[Any, Any, dict[str, Figure]]]

WORKLOADS: dict[str, Measure] = {
    "w1": steps.measure,
    "w2": conversation.measure,
    "w3": children.measure,
    "w7": waiting.measure,
    "w8": dispatch.measure,
    "w9": agent_loop.measure,
    "w11": resume.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table, and keeps the figures if asked to."""
    chosen = _options().parse_args(arguments)
    if chosen.store == "postgres":
        print("bench: figures on PostgreSQL come with the PostgreSQL store; measure sqlite", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the scratch folder goes too
    begun = time.perf_counter()
    figures: dict[str, Figure] = {}
    with scratch() as place:
        for name, value in machine.facts(place.folder):
            print(f"{name:8}{value}", flush=True)
        for name in chosen.only:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            figures |= asyncio.run(WORKLOADS[name](place))
    print()
    report.show(figures)
    print(f"\ntook {time.perf_counter() - begun:.0f} s")
    if chosen.json is not None:
        chosen.json.write_bytes(report.as_json(figures))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures what Callboard costs, beside what the machine does without it.",
        epilog="keys: " + ", ".join(goal.key for goal in GOALS),
    )
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite", help="where runs are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--only",
        type=_workloads,
        default=list(WORKLOADS),
        metavar="NAMES",
        help=f"workloads, with commas between them: {','.join(WORKLOADS)}",
    )
    return parser


def _workloads(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
