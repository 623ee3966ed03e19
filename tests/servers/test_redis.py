"""The Redis that tests get: a namespace each, and nothing done to a server that is not ours."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ConnectionError

from tests.servers.card import ForeignServer
from tests.servers.redis import RedisServer

MakeServer = Callable[[], RedisServer]


def client(url: str) -> Redis:
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0))


async def test_a_cleared_namespace_takes_no_other_keys_with_it(redis_server: RedisServer, redis_namespace: str) -> None:
    other = redis_server.new_namespace("other")
    async with client(redis_server.url) as redis:
        await redis.mset({f"{redis_namespace}a": 1, f"{other}a": 1, f"{other}b": 2})
        redis_server.clear_namespace(other)
        assert await redis.get(f"{redis_namespace}a") == b"1"
        assert not await redis.exists(f"{other}a", f"{other}b")
    with pytest.raises(ForeignServer):
        redis_server.clear_namespace("")


def test_the_server_of_all_cannot_be_hurt(redis_server: RedisServer) -> None:
    for hurt in (redis_server.flush, redis_server.kill, redis_server.stop, redis_server.freeze, redis_server.start):
        with pytest.raises(AssertionError, match="shared"):
            hurt()


async def test_a_restarted_server_answers_at_the_same_port_and_has_forgotten(private_redis: MakeServer) -> None:
    server = private_redis()
    async with client(server.url) as redis:
        for end in (server.kill, server.stop):
            await redis.set("a", 1)
            end()
            with pytest.raises(ConnectionError):
                await redis.get("a")
            server.start()
            assert await redis.get("a") is None


async def test_a_flushed_server_keeps_its_clients(private_redis: MakeServer) -> None:
    server = private_redis()
    async with client(server.url).client() as redis:
        number = await redis.client_id()
        await redis.set("a", 1)
        server.flush()
        assert (await redis.get("a"), await redis.client_id()) == (None, number)


async def test_a_frozen_server_says_nothing_until_it_goes_on(private_redis: MakeServer) -> None:
    server = private_redis()
    server.freeze()
    async with client(server.url) as redis:
        asking = asyncio.ensure_future(redis.ping())
        done, _ = await asyncio.wait([asking], timeout=0.5)
        assert not done
        server.thaw()
        assert await asking


async def test_nobody_gets_in_without_the_password(private_redis: MakeServer) -> None:
    server = private_redis()
    async with client(f"redis://127.0.0.1:{server.port}/0") as redis:
        with pytest.raises(AuthenticationError):
            await redis.get("a")
    assert server.card.password not in repr(server) + repr(server.card)


@pytest.mark.parametrize("known", [True, False], ids=["lets us in", "does not know us"])
def test_nothing_is_done_to_a_server_that_is_not_ours(private_redis: MakeServer, known: bool) -> None:
    ours, theirs = private_redis(), private_redis()
    ours.kill()
    card = msgspec.structs.replace(ours.card, port=theirs.port)
    if known:
        card = msgspec.structs.replace(card, password=theirs.card.password)
    confused = RedisServer(f"redis://:{card.password}@127.0.0.1:{card.port}/0", card=card)
    with pytest.raises(ForeignServer):
        confused.prove()
    with pytest.raises(ForeignServer):
        confused.clear_namespace(confused.new_namespace())
