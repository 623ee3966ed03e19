"""The verbs `db migrate` and `db status`: the schema of a PostgreSQL store."""

from typing import Annotated

import typer

from callboard.apps.cli import options

_PHASES = {"before": ("before",), "after": ("after",), "all": ("before", "after")}


def migrate(
    phase: Annotated[
        str,
        typer.Option(
            "--phase",
            metavar="P",
            help="before: what new code needs, applied before it is deployed. "
            "after: what no code needs any more, applied once no old code runs. all: both.",
        ),
    ] = "all",
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Bring the schema up to date, as a user who may change it; workers and doors only use it."""
    import asyncio

    from callboard.apps.cli import show
    from callboard.apps.cli.desk import settings
    from callboard.domain.errors import InputInvalid
    from callboard.runtime import migrate_schema

    if phase not in _PHASES:
        raise InputInvalid(f"--phase {phase!r} is unknown", remedy=f"use one of {', '.join(_PHASES)}")
    done = asyncio.run(migrate_schema(settings(store, None).store, _PHASES[phase]))
    if as_json:
        show.objects([{"applied": part} for part in done])
    else:
        show.table(("",), [(f"applied {part}",) for part in done] or [("nothing to do",)])


def status(store: options.Store = None, as_json: options.AsJson = False) -> None:
    """Show each part of the schema and when it was applied."""
    import asyncio

    from callboard.apps.cli import show
    from callboard.apps.cli.desk import settings
    from callboard.runtime import schema_status

    found = asyncio.run(schema_status(settings(store, None).store))
    if as_json:
        show.objects([{"part": part, "applied_at": at} for part, at in found])
    else:
        show.table(("part", "applied"), [(part, show.when(at) or "not yet") for part, at in found])
