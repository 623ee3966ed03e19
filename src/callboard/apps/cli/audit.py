"""The verbs for the record of deeds: list, verify, head."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import failure, options, reading
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import Runtime


def list_audit(
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="WHO", help="Only deeds of this one, as person:mia.")
    ] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", metavar="A", help="Only this, as runs:cancel; runs:* for all that begin so."),
    ] = None,
    object: Annotated[str | None, typer.Option("--object", metavar="O", help="Only to this, as run:ID.")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="AGE", help="Only since: 12h, 30d.")] = None,
    limit: options.Limit = 100,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """List who did what to what, from where, newest first."""
    from callboard.apps.cli import show

    age = None if since is None else reading.duration(since)

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        begun = None if age is None else rt.services.clock.now() - age
        found = await at(rt).audit.find(actor=actor, action=action, object=object, since=begun, limit=limit)
        return [_object(entry) for entry in found]

    found = ask(store, tenant, work)
    if as_json:
        show.objects(found)
        return
    show.table(
        ("number", "when", "who", "what", "to", "from", "outcome", "before", "after"),
        [
            (each["number"], show.when(each["at"]), each["name"] or each["actor"], each["action"], each["object"],
             each["source"], each["outcome"], _brief(each["before"]), _brief(each["after"]))
            for each in found
        ],
    )  # fmt: skip


def verify_audit(
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="N:SEAL", help="An entry that was the last one once, as audit head shows it."),
    ] = None,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Seal the whole record again and compare. Exits with 1 if an entry was changed or taken out."""
    from callboard.apps.cli import show

    known = None if head is None else _head(head)

    async def work(rt: "Runtime") -> dict[str, Any]:
        report = await at(rt).audit.verify(known)
        said = (
            f"entry {report.broken} is not as it was sealed"
            if report.broken is not None
            else f"entry {head} is not there any more"
            if report.missing
            else "whole"
        )
        last = f"{report.entries}:{report.seal}" if report.entries else None
        return {"tenant": report.tenant, "found": said, "entries": report.entries, "head": last, "whole": report.whole}

    found = ask(store, tenant, work)
    if as_json:
        show.objects([found])
    else:
        show.pairs({name: found[name] for name in ("tenant", "found", "entries", "head")})
        if known is None and found["whole"]:
            print("\nWhether entries were cut off at the end, only an earlier head can tell: --head")
    if not found["whole"]:
        raise typer.Exit(failure.NOT_ALL_SUCCEEDED)


def show_head(store: options.Store = None, tenant: options.Tenant = None, as_json: options.AsJson = False) -> None:
    """Print the last entry's number and seal: note them elsewhere, and verify against them later."""
    from callboard.apps.cli import show

    async def work(rt: "Runtime") -> dict[str, Any]:
        entry = await at(rt).audit.head()
        return {"tenant": rt.settings.tenant, "head": None if entry is None else f"{entry.number}:{entry.seal.hex()}"}

    found = ask(store, tenant, work)
    if as_json:
        show.objects([found])
    else:
        print(found["head"] or "nothing is recorded yet")


def _head(text: str) -> tuple[int, str]:
    from callboard.domain.errors import InputInvalid

    number, colon, seal = text.partition(":")
    if not colon or not number.isdecimal() or not seal:
        raise InputInvalid(f"--head {text!r} is no head", remedy="write it as callboard audit head shows it")
    return int(number), seal


def _object(entry: Any) -> dict[str, Any]:
    deed = entry.deed
    return {
        "number": entry.number,
        "tenant": entry.tenant,
        "at": deed.at,
        "actor": deed.actor,
        "name": deed.name,
        "action": deed.action,
        "object": deed.object,
        "source": deed.source,
        "before": deed.before,
        "after": deed.after,
        "outcome": deed.outcome,
        "seal": entry.seal.hex(),
    }


def _brief(value: Any) -> str:
    from callboard.apps.cli import show

    return "" if value is None else show.brief(value)
