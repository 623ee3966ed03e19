"""All pages of the console, and its static files, as one router."""

from typing import TYPE_CHECKING

from callboard.runtime import Runtime

if TYPE_CHECKING:
    from fastapi import APIRouter


def router(rt: Runtime) -> "APIRouter":
    """The routes below `/console`."""
    from fastapi import APIRouter

    from callboard.apps.console import (
        access,
        approvals,
        audit,
        catalog,
        costs,
        deeds,
        files,
        health,
        home,
        login,
        provider,
        run,
        runs,
        settings,
    )

    made = APIRouter(include_in_schema=False)
    made.include_router(files.routes())
    for each in (login, provider, home, runs, run, deeds, approvals, costs, health, catalog, audit, access, settings):
        made.include_router(each.routes(rt))
    return made
