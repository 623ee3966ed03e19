"""An open stream of each kind, another process's, and a reader that remembers what it read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from callboard.streams.stream import Chunk, Stream
from tests.conformance.streams.adapters import ADAPTERS, Adapter, prepare
from tests.servers.postgres import PostgresServer

MakeStream = Callable[[], Awaitable[Stream]]


class Reader:
    """Reads a run in a task. `read` has what it got."""

    def __init__(self, stream: Stream, tenant: str, run_id: str, after: str | None) -> None:
        self.read: list[Chunk] = []
        self._following = stream.follow(tenant, run_id, after)
        self._task = asyncio.create_task(self._follow())

    @property
    def numbers(self) -> list[int]:
        return [chunk.number for chunk in self.read]

    async def gets(self, *numbers: int) -> None:
        """Waits until it has read exactly these."""
        async with asyncio.timeout(60):
            while len(self.read) < len(numbers) and not self._task.done():
                await quiet()
        await quiet()
        assert self.numbers == list(numbers)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _follow(self) -> None:
        async for chunk in self._following:
            self.read.append(chunk)


async def quiet() -> None:
    """Long enough for a chunk to arrive if there was one."""
    await asyncio.sleep(0.03)


async def until(done: Callable[[], object]) -> None:
    """Waits for something that another task brings about."""
    async with asyncio.timeout(20):
        while not done():
            await quiet()


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.new_database("chunks")
    prepare(url)
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    made: Adapter = request.param(request)
    return made


@pytest.fixture
async def opened() -> AsyncIterator[list[Stream]]:
    """What is closed at the end."""
    streams: list[Stream] = []
    yield streams
    for stream in streams:
        await stream.close()


@pytest.fixture
async def stream(adapter: Adapter, opened: list[Stream]) -> Stream:
    made = adapter.stream()
    await made.open()
    opened.append(made)
    return made


@pytest.fixture
async def other(adapter: Adapter, stream: Stream, opened: list[Stream]) -> Stream:
    """Another process's view: where there is one process only, the same."""
    if not adapter.shared:
        return stream
    made = adapter.door()
    await made.open()
    opened.append(made)
    return made


@pytest.fixture
async def reading() -> AsyncIterator[Callable[..., Reader]]:
    readers: list[Reader] = []

    def read(stream: Stream, run_id: str = "run", tenant: str = "acme", after: str | None = None) -> Reader:
        readers.append(Reader(stream, tenant, run_id, after))
        return readers[-1]

    yield read
    for reader in readers:
        await reader.stop()
