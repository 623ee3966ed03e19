"""What the proxy does to real servers and their clients."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.servers.proxy import FaultProxy, NotCut
from tests.servers.redis import RedisServer
from tests.servers.requests import Request, commits

MakeProxy = Callable[[str], FaultProxy]
LOST = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        connection.terminate()


@pytest.fixture
async def url(new_database: Callable[..., str]) -> str:
    made = new_database("proxied")
    async with connected(made) as connection:
        await connection.execute("CREATE TABLE t (n int PRIMARY KEY)")
    return made


@pytest.fixture
def proxy(url: str, fault_proxy: MakeProxy) -> FaultProxy:
    return fault_proxy(url)


async def rows(url: str) -> list[int]:
    async with connected(url) as connection:
        return [row["n"] for row in await connection.fetch("SELECT n FROM t ORDER BY n")]


async def play(url: str) -> None:
    """A transaction of four requests that execute something, one of them by an argument, which is prepared first."""
    async with connected(url) as connection, connection.transaction():
        await connection.execute("INSERT INTO t VALUES ($1)", 1)
        await connection.executemany("INSERT INTO t VALUES ($1)", [(2,), (3,)])


async def gives_no_answer(waiting: "asyncio.Future[Any]") -> None:
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done


async def test_a_request_passes_and_is_counted(proxy: FaultProxy, url: str) -> None:
    await play(proxy.url(url))
    assert await rows(url) == [1, 2, 3]
    assert proxy.seen() == 4
    assert [request.statements[0].split()[0].rstrip(";") for request in proxy.requests if request.statements] == [
        "BEGIN",
        "INSERT",
        "INSERT",
        "COMMIT",
    ]
    proxy.forget()
    assert proxy.seen() == 0


async def test_cut_after_the_commit_leaves_the_rows_and_tells_nobody(proxy: FaultProxy, url: str) -> None:
    cut = proxy.cut_reply(of=commits)
    with pytest.raises(LOST):
        await play(proxy.url(url))
    assert commits(cut.wait())
    assert await rows(url) == [1, 2, 3]


async def test_cut_before_the_commit_leaves_nothing(proxy: FaultProxy, url: str) -> None:
    cut = proxy.cut_request(of=commits)
    with pytest.raises(LOST):
        await play(proxy.url(url))
    assert commits(cut.wait())
    assert await rows(url) == []


async def test_every_point_at_which_a_reply_can_be_lost(proxy: FaultProxy, url: str) -> None:
    kept: dict[int, list[int]] = {}
    for nth in range(1, 5):
        cut = proxy.cut_reply(nth)
        with pytest.raises(LOST):
            await play(proxy.url(url))
        cut.wait()
        kept[nth] = await rows(url)
    assert kept == {1: [], 2: [], 3: [], 4: [1, 2, 3]}


async def test_after_its_cut_the_proxy_passes_again(proxy: FaultProxy, url: str) -> None:
    proxy.cut_request()
    with pytest.raises(LOST):
        await play(proxy.url(url))
    await play(proxy.url(url))
    assert await rows(url) == [1, 2, 3]


async def test_a_cut_takes_one_connection_and_leaves_the_others(proxy: FaultProxy, url: str) -> None:
    async with connected(proxy.url(url)) as first, connected(proxy.url(url)) as second:
        proxy.cut_reply()
        with pytest.raises(LOST):
            await first.fetch("SELECT 1")
        assert await second.fetchval("SELECT 2") == 2


async def test_the_reply_of_a_copy_can_be_lost_too(proxy: FaultProxy, url: str) -> None:
    cut = proxy.cut_reply(of=lambda request: request.statements[:1] != () and "COPY" in request.statements[0])
    async with connected(proxy.url(url)) as connection:
        with pytest.raises(LOST):
            await connection.copy_records_to_table("t", records=[(8,), (9,)])
    cut.wait()
    assert await rows(url) == [8, 9]


def test_a_cut_that_does_not_happen_is_told(proxy: FaultProxy) -> None:
    with pytest.raises(NotCut):
        proxy.cut_reply().wait(timeout=0)


async def test_refused_and_then_healed(proxy: FaultProxy, url: str) -> None:
    async with connected(proxy.url(url)) as connection:
        proxy.refuse()
        with pytest.raises(LOST):
            await connection.fetch("SELECT 1")
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(proxy.url(url))
    proxy.heal()
    assert await rows(proxy.url(url)) == []


async def test_a_black_hole_takes_everything_and_answers_nothing(proxy: FaultProxy, url: str) -> None:
    async with connected(proxy.url(url)) as connection:
        proxy.black_hole()
        old = asyncio.ensure_future(connection.execute("INSERT INTO t VALUES (1)"))
        new = asyncio.ensure_future(asyncpg.connect(proxy.url(url)))
        await asyncio.gather(gives_no_answer(old), gives_no_answer(new))
        proxy.heal()
        with pytest.raises(LOST):
            await old
        with pytest.raises(LOST):
            await new
    assert await rows(proxy.url(url)) == []


@pytest.mark.parametrize(("direction", "done"), [("requests", []), ("replies", [1])])
async def test_a_partition_in_one_direction(proxy: FaultProxy, url: str, direction: Any, done: list[int]) -> None:
    async with connected(proxy.url(url)) as connection:
        proxy.mute(direction)
        asking = asyncio.ensure_future(connection.execute("INSERT INTO t VALUES (1)"))
        await gives_no_answer(asking)
        assert await rows(url) == done
        proxy.heal()
        with pytest.raises(LOST):
            await asking


async def test_delayed_bytes_arrive(proxy: FaultProxy, url: str) -> None:
    proxy.delay(0.05)
    await play(proxy.url(url))
    assert await rows(url) == [1, 2, 3]


async def test_all_connections_are_cut_and_new_ones_welcome(proxy: FaultProxy, url: str) -> None:
    async with connected(proxy.url(url)) as connection:
        assert proxy.connections == 1
        proxy.cut()
        with pytest.raises(LOST):
            await connection.fetch("SELECT 1")
    assert await rows(proxy.url(url)) == []


async def test_an_answer_larger_than_any_buffer_is_passed_whole(proxy: FaultProxy, url: str) -> None:
    async with connected(proxy.url(url)) as connection:
        assert len(await connection.fetchval("SELECT repeat('x', 3000000)")) == 3_000_000
        assert await connection.fetchval("SELECT length($1::text)", "y" * 3_000_000) == 3_000_000


async def test_a_redis_command_may_be_done_and_not_told(
    redis_server: RedisServer, redis_namespace: str, fault_proxy: MakeProxy
) -> None:
    def adds(request: Request) -> bool:
        return request.statements[0].startswith("XADD")

    proxy, key = fault_proxy(redis_server.url), f"{redis_namespace}stream"
    retry = Retry(NoBackoff(), 0)
    async with (
        Redis.from_url(proxy.url(redis_server.url), retry=retry) as redis,
        Redis.from_url(redis_server.url) as eye,
    ):
        await redis.xadd(key, {"n": 1})
        for order, length in ((proxy.cut_reply, 2), (proxy.cut_request, 2)):
            cut = order(of=adds)
            with pytest.raises(RedisConnectionError):
                await redis.xadd(key, {"n": 2})
            assert adds(cut.wait())
            assert await eye.xlen(key) == length
        assert proxy.seen(adds) == 3
