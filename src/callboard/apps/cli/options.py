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
Dispatch = Annotated[
    str | None,
    typer.Option(
        "--dispatch", metavar="URL", help="What rings for workers. Default: $CALLBOARD_DISPATCH, else the store."
    ),
]
Host = Annotated[
    str | None,
    typer.Option("--host", metavar="H", help="Where it answers. Default: of $CALLBOARD_LISTEN, else 127.0.0.1."),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", metavar="N", min=0, max=65_535, help="Its port, 0 for any. Default: of $CALLBOARD_LISTEN, else 8420."
    ),
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many at most.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the journal.")]
RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id.")]
