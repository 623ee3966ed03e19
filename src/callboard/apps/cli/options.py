"""Options that several verbs share, so that they are called and explained alike everywhere."""

from typing import Annotated

import typer

Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Where runs are kept. Default: $CALLBOARD_STORE, else sqlite:///callboard.db.",
    ),
]
Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="T", help="Whose runs. Default: $CALLBOARD_TENANT, else default.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print an array of objects instead of a table.")]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency", metavar="N", min=1, help="Runs executed at a time. Default: $CALLBOARD_CONCURRENCY, else 256."
    ),
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many at most.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the journal.")]
RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id.")]
