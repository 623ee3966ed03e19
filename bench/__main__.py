"""The command: chooses what to measure, and says what came of it."""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench import (
    agent_loop,
    children,
    claiming,
    conversation,
    dispatch,
    idling,
    machine,
    report,
    resume,
    steps,
    takeover,
    telling,
    waiting,
)
from bench.doors import measuring as doors
from bench.doors import pages
from bench.figure import GOALS, Figure
from bench.places.place import Place
from bench.places.sqlite import sqlite_place
from bench.providers import measuring as providers

Measure = Callable[[Place], Coroutine[Any, Any, dict[str, Figure]]]

WORKLOADS: dict[str, Measure] = {
    "w1": steps.measure,
    "w2": conversation.measure,
    "w3": children.measure,
    "w5": takeover.measure,
    "w7": waiting.measure,
    "w8": dispatch.measure,
    "claims": claiming.measure,
    "idle": idling.measure,
    "w9": agent_loop.measure,
    "w10": providers.measure,
    "w11": resume.measure,
    "w12": telling.measure,
    "doors": doors.measure,
    "pages": pages.measure,
    "million": pages.measure_million,
}
_USUAL = [name for name in WORKLOADS if name != "million"]  # it takes minutes to make so many runs


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table, and keeps the figures if asked to."""
    chosen = _options().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that folders and servers go too
    begun = time.perf_counter()
    figures: dict[str, Figure] = {}
    with place_for(chosen.store) as place:
        for name, value in (*machine.facts(), *place.facts()):
            print(f"{name:10}{value}", flush=True)
        for number, name in enumerate(chosen.only, 1):
            print(f"measuring {name} ({number} of {len(chosen.only)}) …", file=sys.stderr, flush=True)
            found = asyncio.run(WORKLOADS[name](place))
            print("   " + (report.line(found) or "nothing on this store"), file=sys.stderr, flush=True)
            figures |= found
    print()
    report.show(figures, chosen.store)
    print(f"\ntook {time.perf_counter() - begun:.0f} s")
    if chosen.json is not None:
        chosen.json.write_bytes(report.as_json(figures))
    return 0


def place_for(kind: str) -> AbstractContextManager[Place]:
    """Where stores of a kind lie."""
    if kind == "sqlite":
        return sqlite_place()
    from bench.places.postgres import postgres_place  # needs a server's programs and drivers

    return postgres_place()


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
        default=_USUAL,
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
