"""What a Redis that is not there, or says no, means to a person; the password is never shown. Who is cancelled in the
middle of a command has ended."""

import asyncio

import pytest
from redis import exceptions

from callboard.connections.redis import address, connect, explain
from callboard.domain.errors import InputInvalid, StoreError, StoreUnavailable
from tests.servers.redis import RedisServer

URL = "redis://anna:geheim@cache.example:6380/2?socket_timeout=9"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (exceptions.AuthenticationError("WRONGPASS"), "cannot log in to redis://anna@cache.example:6380/2"),
        (exceptions.NoPermissionError("no"), "not allowed in redis://anna@cache.example:6380/2"),
        (exceptions.ReadOnlyError("no"), "it is a replica"),
        (exceptions.OutOfMemoryError("no"), "is full"),
        (exceptions.TimeoutError("late"), "did not answer in time"),
        (TimeoutError("late"), "did not answer in time"),
        (exceptions.ConnectionError("refused"), "cannot reach redis://anna@cache.example:6380/2"),
        (ConnectionResetError("cut"), "cannot reach"),
        (exceptions.ResponseError("LOADING"), "refused"),
    ],
)
def test_an_error_says_what_why_and_what_to_do(error: Exception, says: str) -> None:
    ours = explain(error, URL)
    assert isinstance(ours, StoreUnavailable)
    assert says in str(ours)
    assert ours.remedy
    assert "geheim" not in str(ours)


def test_what_is_not_of_redis_is_told_as_it_is() -> None:
    ours = explain(KeyError("bug"), URL)
    assert type(ours) is StoreError
    assert explain(ours, URL) is ours


def test_an_address_has_no_password() -> None:
    assert address(URL) == "redis://anna@cache.example:6380/2"
    assert address("redis://:geheim@host") == "redis://@host"


@pytest.mark.parametrize("url", ["http://anna:geheim@host", "redis://anna:geheim@host:port/0", "nonsense"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InputInvalid, match="is no address of a Redis server") as caught:
        connect(url)
    assert "geheim" not in str(caught.value)


async def test_a_server_that_is_not_there_is_given_up_soon() -> None:
    client = connect("redis://127.0.0.1:1", timeout=0.2)
    retry = client.get_retry()
    assert retry is not None and retry.get_retries() == 1
    with pytest.raises(exceptions.ConnectionError):
        await client.ping()
    await client.aclose()


async def test_whoever_is_cancelled_at_any_turn_of_a_command_ends_and_the_next_command_gets_its_own_answer(
    redis_server: RedisServer,
) -> None:
    client = connect(redis_server.url)

    async def ask_forever() -> None:
        while True:
            await client.ping()

    for turn in range(100):
        asking = asyncio.create_task(ask_forever())
        for _ in range(5 + turn % 40):
            await asyncio.sleep(0)
        asking.cancel()
        assert await asyncio.wait([asking], timeout=30) == ({asking}, set())
        assert await client.echo(str(turn)) == str(turn)
    await client.aclose()


def test_the_shape_of_answers_is_not_the_urls_to_choose() -> None:
    options = connect("redis://host/0?protocol=3&decode_responses=no").connection_pool.connection_kwargs
    assert (options["protocol"], options["decode_responses"]) == (2, True)
