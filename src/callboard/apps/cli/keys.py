"""The verbs for keys of programs: create, list, rotate, revoke."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import granting, options, reading
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import NewKey, Runtime

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id: what stands between its underscores.")]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="AGE", help="How long it is good: 12h, 90d. Default: for ever.")
]


def create_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    role: granting.Roles,
    flow: granting.Flows = None,
    action: granting.Actions = None,
    expires: Expires = None,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a key for a program, and show it once."""
    age = None if expires is None else reading.duration(expires)

    async def work(rt: "Runtime") -> "NewKey":
        given = granting.grants(role, flow, action, rt.settings.tenant)
        until = None if age is None else rt.services.clock.now() + age
        return await at(rt).credentials.create_key(name, given, expires_at=until)

    _show_new(ask(store, tenant, work), as_json)


def list_keys(store: options.Store = None, tenant: options.Tenant = None, as_json: options.AsJson = False) -> None:
    """List keys, newest first. What is kept of them is not enough to use them."""
    from callboard.apps.cli import show

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        now = rt.services.clock.now()
        return [_object(key, now) for key in await at(rt).credentials.keys()]

    found = ask(store, tenant, work)
    if as_json:
        show.objects(found)
        return
    show.table(
        ("id", "name", "state", "may", "created", "expires", "last used", "by"),
        [
            (each["id"], each["name"], each["state"], each["may"], show.when(each["created_at"]),
             show.when(each["expires_at"]), show.when(each["used_at"]), each["created_by"])
            for each in found
        ],
    )  # fmt: skip


def rotate_key(
    key_id: KeyId,
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="AGE", help="How long the old one is still good.")
    ] = "1d",
    expires: Expires = None,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a key in the place of another, which is good for a while longer, and show it once."""
    wait, age = reading.duration(overlap), None if expires is None else reading.duration(expires)

    async def work(rt: "Runtime") -> "NewKey":
        until = None if age is None else rt.services.clock.now() + age
        return await at(rt).credentials.rotate_key(key_id, overlap=wait, expires_at=until)

    _show_new(ask(store, tenant, work), as_json)


def revoke_key(
    key_id: KeyId,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """End a key: every gateway refuses it within two seconds."""
    from callboard.apps.cli import show

    async def work(rt: "Runtime") -> dict[str, Any]:
        return _object(await at(rt).credentials.revoke_key(key_id), rt.services.clock.now())

    done = ask(store, tenant, work)
    if as_json:
        show.objects([done])
    else:
        show.pairs({name: done[name] for name in ("id", "name", "state")})


def _show_new(made: "NewKey", as_json: bool) -> None:
    from callboard.apps.cli import show

    found = _object(made.key, made.key.created_at)
    if as_json:
        show.objects([found | {"key": made.text}])
        return
    shown = {name: found[name] for name in ("id", "name", "may", "replaces")}
    show.pairs(shown | {"expires": show.when(found["expires_at"]), "key": made.text})
    print("\nThe key is shown this once; keep it where secrets are kept.")


def _object(key: Any, now: float) -> dict[str, Any]:
    ended = key.expires_at is not None and key.expires_at <= now
    return {
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "state": "revoked" if key.revoked_at is not None else "expired" if ended else "good",
        "may": granting.in_words(key.grants),
        "grants": granting.grant_objects(key.grants),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "used_at": key.used_at,
        "replaces": key.replaces,
    }
