"""The verbs for people who log in to the console: add, list, disable, enable, password."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from callboard.apps.cli import granting, options
from callboard.apps.cli.desk import ask, at

if TYPE_CHECKING:
    from callboard.runtime import Runtime

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="The name with which they log in.")]


def add_person(
    login: Login,
    role: granting.Roles,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="How they are shown.")] = None,
    flow: granting.Flows = None,
    action: granting.Actions = None,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Let somebody log in. The password is asked for, or read from stdin where that is no terminal."""
    password = _password()

    async def work(rt: "Runtime") -> Any:
        given = granting.grants(role, flow, action, rt.settings.tenant)
        return await at(rt).credentials.add_person(login, name or login, password, given)

    _change(work, store, tenant, as_json)


def list_people(store: options.Store = None, tenant: options.Tenant = None, as_json: options.AsJson = False) -> None:
    """List who may log in."""

    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        return [_object(person) for person in await at(rt).credentials.people()]

    _show(ask(store, tenant, work), as_json)


def disable_person(
    login: Login,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Let somebody in no longer, and end their log-ins."""
    _change(lambda rt: at(rt).credentials.disable(login), store, tenant, as_json)


def enable_person(
    login: Login,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Let somebody in again."""
    _change(lambda rt: at(rt).credentials.enable(login), store, tenant, as_json)


def set_password(
    login: Login,
    store: options.Store = None,
    tenant: options.Tenant = None,
    as_json: options.AsJson = False,
) -> None:
    """Give somebody another password, and end their log-ins. It is asked for, or read from stdin."""
    password = _password()
    _change(lambda rt: at(rt).credentials.set_password(login, password), store, tenant, as_json)


def _password() -> str:
    """Asked for twice without showing it; from a pipe or a file, its first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer


def _change(do: "Callable[[Runtime], Awaitable[Any]]", store: str | None, tenant: str | None, as_json: bool) -> None:
    async def work(rt: "Runtime") -> list[dict[str, Any]]:
        return [_object(await do(rt))]

    _show(ask(store, tenant, work), as_json)


def _show(found: list[dict[str, Any]], as_json: bool) -> None:
    from callboard.apps.cli import show

    if as_json:
        show.objects(found)
        return
    show.table(
        ("login", "name", "state", "may", "since", "by"),
        [
            (each["login"], each["name"], each["state"], each["may"], show.when(each["created_at"]),
             each["created_by"])
            for each in found
        ],
    )  # fmt: skip


def _object(person: Any) -> dict[str, Any]:
    return {
        "login": person.login,
        "tenant": person.tenant,
        "name": person.name,
        "state": "in" if person.disabled_at is None else "disabled",
        "may": granting.in_words(person.grants),
        "grants": granting.grant_objects(person.grants),
        "created_at": person.created_at,
        "created_by": person.created_by,
        "disabled_at": person.disabled_at,
    }
