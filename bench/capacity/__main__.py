"""The command: foretells what a load takes, prints the page's tables, or measures the constants anew."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.capacity.costs import FILE, load, save
from bench.capacity.model import Load
from bench.capacity.pages import renew
from bench.capacity.tables import TABLES, forecast_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Does one of the three."""
    chosen = _options().parse_args(arguments)
    if chosen.measure:
        from bench.capacity.measuring import measure  # needs a server's programs and drivers

        save(asyncio.run(measure()))
        print(f"kept in {FILE}; now write the tables: python -m bench.capacity --page docs/scale.md")
    elif chosen.page is not None:
        chosen.page.write_text(renew(chosen.page.read_text(encoding="utf-8"), load()), encoding="utf-8")
    elif chosen.tables:
        for name, render in TABLES.items():
            print(f"{name}\n\n{render(load())}\n")
    else:
        print(forecast_table(_load(chosen), load()))
    return 0


def _load(chosen: argparse.Namespace) -> Load:
    return Load(
        runs_per_second=chosen.runs_per_second,
        steps=chosen.steps,
        latency=chosen.model_latency,
        agent=chosen.agent,
        bell=chosen.bell,
        slots=chosen.slots,
        cores=chosen.cores,
        workers=chosen.workers,
    )


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.capacity", description="Foretells how many workers and how much database a load needs."
    )
    add = parser.add_argument
    add("--runs-per-second", type=float, default=10.0, metavar="N")
    add("--steps", type=int, default=10, metavar="N", help="steps a run, one after the other")
    add("--model-latency", type=float, default=2.0, metavar="SECONDS", help="how long a step waits for its model")
    add("--agent", action="store_true", help="steps are an agent's turns, each with a tool call")
    add("--bell", choices=("postgres", "redis"), default="postgres", help="what rings for workers")
    add("--slots", type=int, default=256, metavar="N", help="runs that a worker executes at a time")
    add("--cores", type=int, default=16, metavar="N", help="of one database server")
    add("--workers", type=int, metavar="N", help="so many, instead of as many as are needed")
    add("--tables", action="store_true", help="print the tables of docs/scale.md")
    add("--page", type=Path, metavar="FILE", help="write the tables into a page, between its markers")
    add("--measure", action="store_true", help="measure the constants anew; takes some minutes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
