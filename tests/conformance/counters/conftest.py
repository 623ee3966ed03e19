"""Counters of each kind, and a second view of the same place as another process would have it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from callboard.connections.postgres import Database
from callboard.resilience.counters import Counters
from callboard.store.postgres.migrate import migrate
from tests.conformance.counters.adapters import ADAPTERS, Adapter
from tests.servers.postgres import PostgresServer


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> Iterator[str]:
    """A database with the schema and nothing in it, to be cloned."""
    url = postgres.new_database("counters")
    asyncio.run(migrate(Database(url)))
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    made: Adapter = request.param(request)
    return made


@pytest.fixture
async def open_views() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def counters(adapter: Adapter, open_views: AsyncExitStack) -> Counters:
    return await open_views.enter_async_context(adapter.counters())


@pytest.fixture
async def other(adapter: Adapter, counters: Counters, open_views: AsyncExitStack) -> Counters:
    """Another process's counters in the same place."""
    if not adapter.shared:
        pytest.skip(f"{adapter.name}: it counts in one process only")
    return await open_views.enter_async_context(adapter.counters())
