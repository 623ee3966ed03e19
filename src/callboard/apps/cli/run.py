"""The verb `run`: a file of inputs through a flow, resumable."""

import os
from pathlib import Path
from typing import Annotated

import typer

from callboard.apps.cli import options
from callboard.apps.cli.desk import settings


def run(
    flow: Annotated[str, typer.Argument(metavar="MODULE:FLOW", help="A flow or an agent.")],
    source: Annotated[
        Path,
        typer.Option(
            "--input", metavar="IN.jsonl", exists=True, dir_okay=False, readable=True, help="An input a line."
        ),
    ],
    target: Annotated[Path, typer.Option("--output", metavar="OUT.jsonl", dir_okay=False, help="A result a line.")],
    store: options.Store = None,
    tenant: options.Tenant = None,
    concurrency: options.Concurrency = None,
    max_runs: Annotated[
        int | None, typer.Option("--max-runs", metavar="N", min=0, help="Take on at most N new or unfinished runs.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Requeue runs of these lines that are failed, dead or blocked.")
    ] = False,
) -> None:
    """Run each line of a file through a flow. Interrupting and repeating is safe: a line is one run, once."""
    import asyncio

    from callboard.apps.cli import load
    from callboard.apps.cli.batch.conduct import conduct

    _check(source, target)
    chosen = settings(store, tenant, concurrency)
    found, app = load.flow(flow)
    raise typer.Exit(asyncio.run(conduct(app, found, chosen, source, target, allowance=max_runs, retry=retry_failed)))


def _check(source: Path, target: Path) -> None:
    """An output that cannot be written is better known before the work than after it."""
    from callboard.domain.errors import InputInvalid

    folder = target.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise InputInvalid(
            f"--output {target} cannot be written",
            why=f"the folder {folder} does not exist or is read-only",
            remedy="create it, or name another file",
        )
    if target.exists() and not target.is_file():
        raise InputInvalid(f"--output {target} is not a file", remedy="name a file: it is replaced as a whole")
    if target.exists() and target.samefile(source):
        raise InputInvalid("--output is the input file", remedy="name another file")
