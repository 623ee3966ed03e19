"""The verb `chaos`: an app's own runs while its calls go wrong on order, and a report on its policies."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import failure

if TYPE_CHECKING:
    from callboard.testing import ChaosReport, Round


def chaos(
    flow: Annotated[str, typer.Argument(metavar="MODULE:FLOW", help="A flow or an agent.")],
    source: Annotated[
        Path,
        typer.Option(
            "--input", metavar="IN.jsonl", exists=True, dir_okay=False, readable=True, help="An input a line."
        ),
    ],
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules",
            metavar="RULES.toml",
            exists=True,
            dir_okay=False,
            readable=True,
            help="What goes wrong. Default: each kind of fault in a round of its own, at each tool and model once.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the rules that have a probability.")] = 1,
    hang: Annotated[
        float,
        typer.Option(
            "--hang", metavar="S", min=0.0, help="Seconds after which the client of a call that hangs gives up."
        ),
    ] = 0.02,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Take the first N inputs only.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Run inputs while calls fail on order; exits with 1 if a policy did not do what it says.

    The runs are kept in a temporary folder, and time is wound: no back-off takes real time. Tools do what they do.
    """
    import asyncio
    import itertools
    import logging
    import tempfile

    from callboard.apps.cli import load
    from callboard.apps.cli.batch import lines
    from callboard.domain.codec import encode
    from callboard.settings import from_environment
    from callboard.testing import Round, read_rules, sweep

    rounds = None if rules is None else [Round(rules.name, read_rules(rules))]
    inputs = [_value(line) for line in itertools.islice(lines.read(source), limit)]
    found, app = load.flow(flow)
    logging.getLogger("callboard.resilience").setLevel(logging.ERROR)  # breakers are to open here
    with tempfile.TemporaryDirectory(prefix="callboard-chaos-") as folder:
        report = asyncio.run(
            sweep(
                app,
                found,
                inputs,
                rounds,
                folder=folder,
                seed=seed,
                hang=hang,
                options=from_environment(),
                told=_tell,
            )
        )
    print(encode(report).decode() if as_json else report.text())
    if not report.ok:
        raise typer.Exit(failure.NOT_ALL_SUCCEEDED)


def _tell(each: "Round", report: "ChaosReport") -> None:
    struck = sum(rule.struck for rule in report.rules)
    wrong = "" if report.ok else f", {len(report.wrong)} not as declared"
    print(f"{each.title}: {len(report.runs)} runs, {struck} calls struck{wrong}", file=sys.stderr, flush=True)


def _value(line: Any) -> Any:
    from callboard.domain.errors import InputInvalid

    if line.error is not None:
        raise InputInvalid(f"line {line.number}: {line.error.what}", remedy="mend the line, or take it out")
    return line.value
