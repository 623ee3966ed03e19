"""Redis connections through redis-py: how they are opened, and what their errors mean to a person."""

import asyncio
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from callboard.domain.errors import InputInvalid, StoreError, StoreUnavailable

TIMEOUT = 2.0  # seconds for one answer; whoever lets the server wait asks it to wait less
_OURS = frozenset({"protocol", "decode_responses"})  # options of a URL that are not the user's to choose


class _Heeding(AbstractConnection):
    """A connection on which who is cancelled is cancelled.

    redis-py sends by `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes just when
    something is sent: a reader that was told to end would go on for ever.
    """

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        task = asyncio.current_task()
        asked = task.cancelling() if task is not None else 0
        await super().send_packed_command(command, check_health)
        if task is not None and task.cancelling() > asked:
            await self.disconnect(nowait=True)  # nobody will read the answer
            raise asyncio.CancelledError


class _Plain(_Heeding, Connection):
    pass


class _Encrypted(_Heeding, SSLConnection):
    pass


class _Local(_Heeding, UnixDomainSocketConnection):
    pass


_HEEDING = {Connection: _Plain, SSLConnection: _Encrypted, UnixDomainSocketConnection: _Local}


def connect(url: str, *, timeout: float = TIMEOUT, size: int = 20, text: bool = True) -> Redis:
    """A client that connects on first use, once more when a connection was cut, and then gives up.

    Args:
        url: `redis://:password@host:port/database`, or `rediss://` for TLS.
        timeout: seconds to connect, and for each answer.
        size: how many connections there may be; who wants one more waits, no longer than `timeout`.
        text: answers are text; bytes otherwise.

    Raises:
        InputInvalid: the URL cannot be understood.
    """
    parts = urlsplit(url)
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in _OURS])
    try:
        pool = BlockingConnectionPool.from_url(
            urlunsplit(parts._replace(query=query)),
            max_connections=size,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # The client's own default repeats so often that a timeout of one second takes sixteen.
            retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), 1),
            # With protocol 3 answers have other shapes, and the pong of a subscriber cannot be told from noise.
            protocol=2,
            decode_responses=text,
            client_name="callboard",
        )
    except ValueError as error:
        raise InputInvalid(
            f"{address(url)} is no address of a Redis server", why=str(error), remedy="use redis://host:port/0"
        ) from error
    pool.connection_class = _HEEDING[pool.connection_class]
    return Redis.from_pool(pool)


def explain(error: BaseException, url: str) -> StoreError:
    """Our error for one of redis-py's or of the network. The password is never part of it."""
    name = address(url)
    said = str(error).split("\n")[0] or type(error).__name__
    match error:
        case StoreError():
            return error
        case AuthenticationError() | AuthorizationError():
            return StoreUnavailable(f"cannot log in to {name}", why=said, remedy="check user and password in the URL")
        case NoPermissionError():
            return StoreUnavailable(f"not allowed in {name}", why=said, remedy="let the user run this command")
        case ReadOnlyError():
            return StoreUnavailable(f"cannot write to {name}", why="it is a replica", remedy="name the primary server")
        case OutOfMemoryError():
            return StoreUnavailable(f"{name} is full", why=said, remedy="raise maxmemory")
        case RedisTimeoutError() | TimeoutError():
            return StoreUnavailable(f"{name} did not answer in time", why=said, remedy="see what it is busy with")
        case RedisConnectionError() | OSError():
            return StoreUnavailable(
                f"cannot reach {name}", why=said, remedy="start the server, or check host and port in the URL"
            )
        case RedisError():
            return StoreUnavailable(f"{name} refused", why=said, remedy="see the server's log")
        case _:
            return StoreError(f"{name}: {said}", why=type(error).__name__)


def address(url: str) -> str:
    """A URL without its password and its options, fit to be shown."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, f"{user.partition(':')[0]}{at}{host}", parts.path, "", ""))
