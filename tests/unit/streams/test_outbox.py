"""Chunks gather, are sent together, kept while the server is away, and never without bound."""

import asyncio
from collections.abc import Sequence

import pytest

from callboard.domain.errors import StoreUnavailable
from callboard.streams import outbox as module
from callboard.streams.outbox import Outbox, Outgoing
from callboard.streams.stream import Chunk


class Server:
    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.error: Exception | None = None

    @property
    def got(self) -> list[int]:
        return [number for batch in self.batches for number in batch]

    async def send(self, batch: Sequence[Outgoing]) -> None:
        if self.error is not None:
            raise self.error
        self.batches.append([each.chunk.number for each in batch])

    async def gets(self, *numbers: int) -> None:
        async with asyncio.timeout(60):
            while self.got != list(numbers):
                await asyncio.sleep(0.01)


async def fails(outbox: Outbox) -> None:
    async with asyncio.timeout(60):
        while outbox.healthy:
            await asyncio.sleep(0.01)


def put(outbox: Outbox, *numbers: int, value: object = None) -> None:
    for n in numbers:
        outbox.put(Chunk("run", 1, "", n, "delta", value))


async def test_chunks_gather_and_go_together() -> None:
    server = Server()
    outbox = Outbox(server.send, every=0.01)
    outbox.open()
    put(outbox, *range(1_500))
    await server.gets(*range(1_500))
    assert [len(batch) for batch in server.batches] == [1_000, 500]
    await outbox.close()


async def test_while_the_server_is_away_chunks_wait_in_order() -> None:
    server = Server()
    outbox = Outbox(server.send, every=0.0)
    outbox.open()
    server.error = StoreUnavailable("away")
    put(outbox, 1, 2)
    await fails(outbox)
    put(outbox, 3)
    server.error = None
    await server.gets(1, 2, 3)
    assert outbox.healthy
    await outbox.close()


async def test_the_oldest_are_lost_when_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10)
    server = Server()
    outbox = Outbox(server.send, every=0.0)
    put(outbox, *range(25))
    outbox.open()
    await server.gets(*range(15, 25))
    await outbox.close()


async def test_large_chunks_are_bounded_by_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SIZE", 5_000)
    server = Server()
    outbox = Outbox(server.send, every=0.0)
    put(outbox, *range(25), value="x" * 1_000)
    outbox.open()
    await server.gets(21, 22, 23, 24)
    put(outbox, 25)
    await server.gets(21, 22, 23, 24, 25)
    await outbox.close()


async def test_a_batch_that_can_never_be_sent_holds_up_nobody() -> None:
    server = Server()
    outbox = Outbox(server.send, every=0.0)
    outbox.open()
    server.error = ValueError("not for this database")
    put(outbox, 1)
    await fails(outbox)
    server.error = None
    put(outbox, 2)
    await server.gets(2)
    await outbox.close()


async def test_the_rest_is_sent_before_it_closes() -> None:
    server = Server()
    outbox = Outbox(server.send, every=0.05)
    outbox.open()
    put(outbox, 1, 2)
    await outbox.close()
    assert server.got == [1, 2]
    await outbox.close()
