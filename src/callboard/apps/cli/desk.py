"""Where verbs meet a runtime: settings out of options, and a runtime that only looks and writes."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from callboard.runtime import Flow, Runtime
    from callboard.settings import Settings

T = TypeVar("T")


class _NoApp:
    """Verbs that look at runs or act on them need no flows."""

    def flows(self) -> "tuple[Flow, ...]":
        """None."""
        return ()

    async def opened(self, settings: "Settings") -> None:
        """Nothing to open."""


def settings(store: str | None, tenant: str | None, concurrency: int | None = None) -> "Settings":
    """The environment's settings, and over them what the options say. Raises InputInvalid."""
    import msgspec

    from callboard.settings import from_environment

    chosen = from_environment()
    if store is not None:
        chosen = msgspec.structs.replace(chosen, store=store)
    if tenant is not None:
        chosen = msgspec.structs.replace(chosen, tenant=tenant)
    if concurrency is not None:
        engine = msgspec.structs.replace(chosen.engine, concurrency=concurrency)
        chosen = msgspec.structs.replace(chosen, engine=engine)
    return chosen


def ask(store: str | None, tenant: str | None, work: "Callable[[Runtime], Awaitable[T]]") -> T:
    """Opens the store without a worker, does the work, and closes it. Raises what the work raises."""
    import asyncio

    from callboard.runtime import open as open_runtime

    async def asked() -> T:
        async with open_runtime(_NoApp(), worker=False, settings=settings(store, tenant)) as rt:
            return await work(rt)

    return asyncio.run(asked())
