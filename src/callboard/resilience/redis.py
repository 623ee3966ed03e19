"""Counters in Redis: one script for each method, one key for each kind, times from Redis' own clock.

Keys carry their name as a hash tag, so that a name's keys lie on one node of a cluster, and expire when they
say nothing any more. Values alone stay until they are forgotten. Redis should run with `noeviction`: an
evicted key is a limit that begins anew. A command whose answer was lost is sent once more by the client: then what
is taken, given back or added counts twice, and a swap that was done is told as refused.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from callboard.connections.redis import explain

_KINDS = ("rate", "places", "value", "window")
T = TypeVar("T")


class RedisCounters:
    """All of `Counters` in one Redis.

    Args:
        client: it stays the caller's to close.
        url: where that is, for messages.
        prefix: stands before every key, so that others may use the same Redis.
        at_once: commands under way at a time; more wait here. A pool that has no connection left would refuse
            them, which is not to be taken for a Redis that is away.
    """

    def __init__(self, client: Redis, url: str, *, prefix: str = "callboard:counters", at_once: int = 8) -> None:
        self._client = client
        self._url = url
        self._prefix = prefix
        self._room = asyncio.Semaphore(at_once)
        self._scripts = {name: client.register_script(_script(name)) for name in _SCRIPTS}

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        return (await self.take_all(name, [cost], limit, period))[0]

    async def take_all(self, name: str, costs: Sequence[float], limit: float, period: float) -> list[float]:
        return [float(wait) for wait in await self._run("take", "rate", name, limit, period, *costs)]

    async def give_back(self, name: str, cost: float, limit: float, period: float) -> None:
        await self._run("give_back", "rate", name, limit, period, cost)

    async def enter(self, name: str, holder: str, limit: int, lease: float) -> bool:
        return bool(await self._run("enter", "places", name, holder, limit, lease))

    async def leave(self, name: str, holder: str) -> None:
        await self._told(lambda: self._client.zrem(self._key("places", name), holder))

    async def read(self, name: str) -> tuple[int, bytes, float]:
        version, value, age = await self._run("read", "value", name)
        return int(version), value if isinstance(value, bytes) else str(value).encode(), float(age)

    async def swap(self, name: str, version: int, value: bytes) -> bool:
        return bool(await self._run("swap", "value", name, version, value))

    async def add(self, name: str, n: int, window: float) -> int:
        return int(await self._run("add", "window", name, n, window))

    async def count(self, name: str, window: float) -> int:
        return int(await self._run("add", "window", name, 0, window))

    async def forget(self, name: str) -> None:
        keys = [self._key(kind, name) for kind in _KINDS]
        await self._told(lambda: self._client.delete(*keys))

    def _key(self, kind: str, name: str) -> str:
        tag = name.replace("%", "%25").replace("}", "%7D") or "%"  # what ends a hash tag must not be in it
        return f"{self._prefix}:{{{tag}}}:{kind}"

    async def _run(self, script: str, kind: str, name: str, *values: Any) -> Any:
        keys = [self._key(kind, name)]
        return await self._told(lambda: self._scripts[script](keys=keys, args=list(values)))

    async def _told(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Redis' answer, its errors as ours."""
        try:
            async with self._room:
                return await ask()
        except (RedisError, OSError) as error:
            raise explain(error, self._url) from error


def _script(name: str) -> str:
    """A script, below what all of them use."""
    scripts = files(__package__) / "scripts"
    return "\n".join((scripts / f"{part}.lua").read_text(encoding="utf-8") for part in ("clock", name))


_SCRIPTS = ("take", "give_back", "enter", "read", "swap", "add")
