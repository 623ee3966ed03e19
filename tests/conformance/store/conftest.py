"""An open store on each database, and a second one that sees the same database as another process would."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from callboard.store.store import Store
from tests.conformance.store.adapters import ADAPTERS, Adapter
from tests.conformance.store.play import ANNA, BEN, T0
from tests.conformance.store.postgres_home import postgres_bouncer, postgres_home

__all__ = ["postgres_bouncer", "postgres_home"]

MakeStore = Callable[[], Awaitable[Store]]


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    made: Adapter = request.param.make(request)
    return made


@pytest.fixture
async def make_store(adapter: Adapter) -> AsyncIterator[MakeStore]:
    opened: list[Store] = []

    async def make() -> Store:
        if opened and not adapter.shared:
            pytest.skip(f"{adapter.name}: the database belongs to one store, there is no second view of it")
        store = adapter.store()
        await store.open()
        opened.append(store)
        return store

    yield make
    for store in opened:
        await store.close()


@pytest.fixture
async def store(make_store: MakeStore) -> Store:
    """The store in which the worker ANNA works."""
    store = await make_store()
    await store.claims.register(ANNA, T0)
    return store


@pytest.fixture
async def other(store: Store, make_store: MakeStore) -> Store:
    """Another process's store on the same database, in which BEN works."""
    other = await make_store()
    await other.claims.register(BEN, T0)
    return other
