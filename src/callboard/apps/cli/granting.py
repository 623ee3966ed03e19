"""Roles as options name them, and grants as they are shown."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from callboard.domain.principal import Grant

Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        metavar="ROLE[:TENANT]",
        help="viewer, operator, approver, author or admin, here or in a tenant ('*': in each); repeatable.",
    ),
]
Flows = Annotated[
    list[str] | None,
    typer.Option("--flow", metavar="F", help="Only for this flow or agent, as shop-*; repeatable. Default: all."),
]
Actions = Annotated[
    list[str] | None,
    typer.Option("--action", metavar="A", help="Of what the roles may do only this, as runs:start; repeatable."),
]


def grants(roles: list[str], flows: list[str] | None, actions: list[str] | None, tenant: str) -> "list[Grant]":
    """Grants as options name them; in this tenant where a role names none. Raises InputInvalid."""
    from callboard.domain.errors import InputInvalid
    from callboard.domain.principal import EVERY, Grant, Role

    found = []
    for each in roles:
        role, colon, where = each.partition(":")
        if role not in tuple(Role) or (colon and not where):
            raise InputInvalid(f"--role {each!r} is no role", remedy=f"use {', '.join(Role)}, or one with :TENANT")
        chosen = None if actions is None else tuple(actions)
        found.append(Grant(Role(role), where or tenant, tuple(flows or (EVERY,)), chosen))
    return found


def grant_objects(given: "tuple[Grant, ...]") -> list[dict[str, Any]]:
    """Grants as JSON objects, with what is the default as well."""
    return [
        {
            "role": grant.role,
            "tenant": grant.tenant,
            "flows": list(grant.flows),
            "actions": None if grant.actions is None else list(grant.actions),
        }
        for grant in given
    ]


def in_words(given: "tuple[Grant, ...]") -> str:
    """Grants on one line."""
    return ", ".join(
        f"{grant.role} in {'each tenant' if grant.tenant == '*' else grant.tenant}"
        + ("" if grant.flows == ("*",) else f" of {' '.join(grant.flows)}")
        + ("" if grant.actions is None else f" ({' '.join(grant.actions)} only)")
        for grant in given
    )
