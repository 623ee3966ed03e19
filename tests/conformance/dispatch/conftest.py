"""An open bell of each kind, another process's bell, and an ear that remembers what it heard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from callboard.dispatch.bell import Bell, Hint
from tests.conformance.dispatch.adapters import ADAPTERS, Adapter

MakeBell = Callable[[], Awaitable[Bell]]


class Ear:
    """A listener: what it heard, and in which batches."""

    def __init__(self) -> None:
        self.batches: list[list[Hint]] = []

    def __call__(self, hints: list[Hint]) -> None:
        self.batches.append(list(hints))

    @property
    def heard(self) -> list[Hint]:
        return [hint for batch in self.batches for hint in batch]

    async def hears(self, *hints: Hint, ring: Callable[[], object] | None = None) -> None:
        """Waits until it has heard all of these; rings again and again, if told how, since hints may be lost."""
        async with asyncio.timeout(60):
            while not set(hints) <= set(self.heard):
                if ring is not None:
                    ring()
                await quiet()


async def quiet() -> None:
    """Long enough for a hint to arrive if there was one."""
    await asyncio.sleep(0.02)


async def until(done: Callable[[], object]) -> None:
    """Waits for something that another task brings about."""
    async with asyncio.timeout(20):
        while not done():
            await quiet()


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Adapter:
    made: Adapter = request.param(tmp_path, request)
    return made


@pytest.fixture
async def make_bell(adapter: Adapter) -> AsyncIterator[MakeBell]:
    opened: list[Bell] = []

    async def make() -> Bell:
        if opened and not adapter.shared:
            pytest.skip(f"{adapter.name}: it rings in one process only")
        bell = adapter.bell()
        await bell.open()
        opened.append(bell)
        return bell

    yield make
    for bell in opened:
        await bell.close()


@pytest.fixture
async def bell(make_bell: MakeBell) -> Bell:
    return await make_bell()


@pytest.fixture
async def other(bell: Bell, make_bell: MakeBell) -> Bell:
    """The bell of another process."""
    return await make_bell()


@pytest.fixture
def ear() -> Ear:
    return Ear()
