"""Where verbs meet a runtime: settings out of options, and a runtime that only looks and writes."""

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from callboard.runtime import Desk, Flows, Runtime
    from callboard.settings import Settings

T = TypeVar("T")


def settings(
    store: str | None,
    tenant: str | None,
    concurrency: int | None = None,
    *,
    dispatch: str | None = None,
    labels: list[str] | None = None,
    listen: str | None = None,
) -> "Settings":
    """The environment's settings, and over them what the options say. Raises InputInvalid."""
    import msgspec

    from callboard.settings import from_environment

    chosen = from_environment()
    given = {"store": store, "tenant": tenant, "dispatch": dispatch, "listen": listen}
    chosen = msgspec.structs.replace(chosen, **{name: value for name, value in given.items() if value is not None})
    if labels:
        chosen = msgspec.structs.replace(chosen, labels=tuple(labels))
    if concurrency is not None:
        engine = msgspec.structs.replace(chosen.engine, concurrency=concurrency)
        chosen = msgspec.structs.replace(chosen, engine=engine)
    return chosen


def ask(
    store: str | None,
    tenant: str | None,
    work: "Callable[[Runtime], Awaitable[T]]",
    *,
    operator: bool = False,
    app: "Flows | None" = None,
    without: bool = False,
) -> T:
    """Opens the store without a worker, does the work, and closes it; as an operator, with all tenants in sight; with
    an app where the work looks at what that declares; `without` a store that is not there yet, where that will do.

    Raises what the work raises; StoreUnavailable when there is no such store: whoever looks for runs does not
    want an empty one made.
    """
    import asyncio

    import msgspec

    from callboard.runtime import open as open_runtime

    chosen = settings(store, tenant)
    if without and chosen.file is not None and not os.path.exists(chosen.file):
        chosen = msgspec.structs.replace(chosen, store="sqlite://")
    _check(chosen)

    async def asked() -> T:
        async with open_runtime(app, worker=False, operator=operator, settings=chosen) as rt:
            return await work(rt)

    return asyncio.run(asked())


def at(rt: "Runtime", by: str | None = None) -> "Desk":
    """The desk of whoever sits here, under a name that was given or under the user's own: what is done there is
    recorded."""
    from callboard.apps.cli.person import sitting

    return rt.desk(rt.access.local(by or sitting()), source="cli")


def _check(chosen: "Settings") -> None:
    from callboard.domain.errors import StoreUnavailable

    if chosen.file is not None and not os.path.exists(chosen.file):
        raise StoreUnavailable(
            f"there is no store {chosen.file}",
            why="no run was ever started there",
            remedy="name another with --store or $CALLBOARD_STORE; callboard run and callboard worker make new ones",
        )
