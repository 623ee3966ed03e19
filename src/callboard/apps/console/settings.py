"""The effective configuration, to be looked at: secrets masked, and for each value where it comes from."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from callboard.apps.console.rendering import HOME, page
from callboard.runtime import Runtime
from callboard.settings import Settings

if TYPE_CHECKING:
    from fastapi import APIRouter


class Option(msgspec.Struct, frozen=True):
    """One option: its name, its value as it is in force, the variable that sets it, and where the value comes from."""

    name: str
    value: Any
    variable: str
    origin: str


def options(
    shown: Mapping[str, Any], defaults: Mapping[str, Any], environ: Mapping[str, str]
) -> dict[str, list[Option]]:
    """The options by part: those of the whole first, under an empty name.

    Args:
        shown: the configuration in force, parts as mappings, secrets masked.
        defaults: what it would be if nobody had said anything, in the same form.
        environ: the process's environment.
    """
    found: dict[str, list[Option]] = {"": []}
    for name, value in shown.items():
        if isinstance(value, Mapping):
            prefix = "CALLBOARD_" if name == "engine" else f"CALLBOARD_{name.upper()}_"
            known = defaults.get(name, {})
            found[name] = [
                _option(each, inner, f"{prefix}{each.upper()}", known, environ) for each, inner in value.items()
            ]
        else:
            found[""].append(_option(name, value, f"CALLBOARD_{name.upper()}", defaults, environ))
    return found


def _option(name: str, value: Any, variable: str, defaults: Mapping[str, Any], environ: Mapping[str, str]) -> Option:
    if variable in environ:
        origin = "environment"
    elif name in defaults and defaults[name] == value:
        origin = "default"
    else:
        origin = "program or command line"
    return Option(name, value, variable, origin)


def routes(rt: Runtime) -> "APIRouter":
    """`/console/settings`."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import At
    from callboard.settings import masked

    made = APIRouter()

    @made.get(f"{HOME}/settings")
    async def shown(request: Request, desk: At) -> Response:
        parts = options(desk.settings(), masked(Settings()), os.environ)
        return page(request, desk, "settings.html", parts=parts)

    return made
