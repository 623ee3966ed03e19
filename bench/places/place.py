"""What every workload asks of the place where its stores lie. Written so that each workload is written once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import callboard as cb
from bench.places.server import Server
from callboard.settings import EngineSettings


class Place(Protocol):
    """Makes stores that nobody used before, knows what they cost, and what the database does by itself."""

    @property
    def kind(self) -> str:
        """The kind of store, as `--store` names it."""
        ...

    @property
    def server(self) -> Server | None:
        """What works beside our processes; None where the database is a part of them."""
        ...

    @property
    def redis(self) -> str | None:
        """The URL of a Redis to ring with, where there is one."""
        ...

    def facts(self) -> Iterator[tuple[str, str]]:
        """What the figures depend on, each as name and value."""
        ...

    def store(self, hint: str) -> str:
        """The URL of a store in which nothing is yet."""
        ...

    async def settled_bytes(self, store: str) -> int:
        """What a store takes on disk, with everything in it and nothing left over from writing."""
        ...

    async def grouped_rows(self, size: int = 200) -> float:
        """Floor: rows a second, in transactions of so many rows of as many runs."""
        ...

    async def single_rows(self) -> float:
        """Floor: milliseconds a row, each in a transaction of its own."""
        ...

    async def read_rows(self, store: str) -> float:
        """Floor: microseconds a row to read the journal of a store's only run and decode the bodies."""
        ...

    def snapshot(self, store: str) -> AbstractAsyncContextManager[None]:
        """Somebody who began to read before everything that happens in the block, and has not ended."""
        ...


def opened(
    app: cb.App, store: str, *, dispatch: str = "", worker: bool = True, **engine: Any
) -> AbstractAsyncContextManager[cb.Runtime]:
    """A runtime with the options that users get, whatever the environment says."""
    settings = cb.Settings(store=store, dispatch=dispatch, engine=EngineSettings(**engine))
    return cb.open(app, settings=settings, worker=worker)


@asynccontextmanager
async def fleet(app: cb.App, store: str, count: int, *, dispatch: str = "") -> AsyncIterator[list[cb.Runtime]]:
    """Many workers in this process. They are told apart by nothing but their process."""
    runtimes: list[cb.Runtime] = []
    contexts = [opened(app, store, dispatch=dispatch) for _ in range(count)]
    try:
        for context in contexts:
            runtimes.append(await context.__aenter__())
        yield runtimes
    finally:
        for context in contexts[: len(runtimes)]:
            await context.__aexit__(None, None, None)
