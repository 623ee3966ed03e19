"""What only streams in PostgreSQL do: rows that a door sees for its tenant alone, trimmed, and through outages."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Literal

import asyncpg
import pytest

from callboard.streams.postgres import PostgresStream
from callboard.streams.stream import START, Chunk
from tests.conformance.streams.adapters import prepare
from tests.conformance.streams.conftest import Reader, until
from tests.servers.postgres import PostgresServer, Roles


@pytest.fixture
def roles(new_database: Callable[..., str], migrated: str, postgres: PostgresServer) -> Roles:
    return postgres.roles(new_database("chunks", template=migrated))


@pytest.fixture
async def worker(roles: Roles) -> AsyncIterator[PostgresStream]:
    made = PostgresStream(roles.worker)
    await made.open()
    yield made
    await made.close()


def publish(stream: PostgresStream, *numbers: int, tenant: str = "acme") -> None:
    for n in numbers:
        stream.publish(Chunk("run", 1, "", n, "delta", n, tenant))


async def stored(url: str, sql: str = "SELECT number FROM chunks ORDER BY tenant, number") -> list[int]:
    db = await asyncpg.connect(url)
    try:
        return [row[0] for row in await db.fetch(sql)]
    finally:
        await db.close()


async def test_a_door_sees_the_chunks_of_its_tenant_and_writes_none(
    worker: PostgresStream, roles: Roles, reading: Callable[..., Reader]
) -> None:
    publish(worker, 1, tenant="acme")
    publish(worker, 1, 2, tenant="bolt")
    await reading(worker, tenant="bolt", after=START).gets(1, 2)
    assert await stored(roles.door) == []
    db = await asyncpg.connect(roles.door)
    try:
        async with db.transaction():
            await db.execute("SELECT set_config('callboard.tenant', 'acme', true)")
            assert [tuple(row) for row in await db.fetch("SELECT tenant, number FROM chunks")] == [("acme", 1)]
        for forbidden in (
            "DELETE FROM chunks",
            "UPDATE chunks SET number = 9",
            "INSERT INTO chunks (tenant, run, epoch, number, path, kind, value) VALUES ('acme', 'r', 1, 1, '', '', '')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(forbidden)
    finally:
        await db.close()


async def test_old_chunks_are_trimmed(worker: PostgresStream, roles: Roles, reading: Callable[..., Reader]) -> None:
    publish(worker, *range(1, 4))
    await reading(worker, after=START).gets(1, 2, 3)
    assert await worker.trim(3_600.0) == 0
    await asyncio.sleep(0.2)
    publish(worker, 4)
    await reading(worker, after="1-3").gets(4)
    assert await worker.trim(0.2) == 3
    assert await stored(roles.worker) == [4]
    assert await worker.trim(0.0) == 1


async def test_chunks_that_are_sent_twice_are_there_once(
    worker: PostgresStream, roles: Roles, reading: Callable[..., Reader]
) -> None:
    publish(worker, 1, 2, 1, 2)
    await reading(worker, after=START).gets(1, 2)
    publish(worker, 2, 3)
    await reading(worker, after=START).gets(1, 2, 3)
    assert await stored(roles.worker) == [1, 2, 3]


async def test_a_chunk_that_the_database_refuses_holds_up_nobody(
    worker: PostgresStream, reading: Callable[..., Reader]
) -> None:
    worker.publish(Chunk("run", 1, "a\x00b", 1, "delta", 1, "acme"))
    await until(lambda: not worker.healthy)
    publish(worker, 2)
    await reading(worker, after="1-1").gets(2)
    assert worker.healthy


@pytest.mark.parametrize("how", ["fast", "kill"])
async def test_chunks_flow_again_after_a_restart(
    private_postgres: Callable[..., PostgresServer], reading: Callable[..., Reader], how: Literal["fast", "kill"]
) -> None:
    server = private_postgres()
    await asyncio.to_thread(prepare, server.url)
    writer, other = PostgresStream(server.url), PostgresStream(server.url)
    await writer.open()
    await other.open()
    reader = reading(other, after=START)
    publish(writer, 1, 2)
    await reader.gets(1, 2)
    await asyncio.to_thread(server.stop, how)
    publish(writer, 3)
    await until(lambda: not writer.healthy)
    await asyncio.to_thread(server.start)
    publish(writer, 4)
    await reader.gets(1, 2, 3, 4)  # a crash empties the table: positions go on all the same
    await writer.close()
    await other.close()
