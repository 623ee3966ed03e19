"""The verbs for webhooks: the secret that their receivers verify with, shown and rotated."""

from typing import TYPE_CHECKING, Annotated

import typer

from callboard.apps.cli import options, reading
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import Runtime, SigningSecret


def webhook_secret(store: options.Store = None, tenant: options.Tenant = None, as_json: options.AsJson = False) -> None:
    """Show the secret with which messages to a tenant's webhooks are signed."""

    async def work(rt: "Runtime") -> "SigningSecret":
        return await at(rt).webhooks.secret()

    _show(ask(store, tenant, work), as_json)


def rotate_webhook_secret(
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="AGE", help="How long messages are signed with the old one as well.")
    ] = "1d",
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Sign with another secret from now on, and with the one before for a while longer."""
    wait = reading.duration(overlap)

    async def work(rt: "Runtime") -> "SigningSecret":
        return await at(rt).webhooks.rotate(wait)

    _show(ask(store, tenant, work), as_json)


def _show(found: "SigningSecret", as_json: bool) -> None:
    from callboard.apps.cli import show

    facts: dict[str, object] = {"secret": found.secret, "before": found.before, "before_until": found.before_until}
    if as_json:
        show.objects([facts])
    else:
        show.pairs(facts | {"before_until": show.when(found.before_until)})
