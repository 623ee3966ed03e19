"""News for all processes: one channel of Redis."""

import asyncio
from collections.abc import Callable

from redis.asyncio import Redis

from callboard.dispatch.bell import LOOK, Hint
from callboard.dispatch.pending import unpack
from callboard.dispatch.redis_streams.keys import Keys
from callboard.dispatch.redis_streams.link import Link

_SILENCE = 1.0  # seconds without news after which the server is asked whether it is there
_DEAD = 3.5  # seconds without any answer after which the connection is given up


class Announcements:
    """Hears what other processes publish.

    Args:
        sender: this process's name: what it published itself is left out.
        heard: is told the hints.
    """

    def __init__(self, client: Redis, keys: Keys, sender: str, link: Link, heard: Callable[[list[Hint]], None]) -> None:
        self._client = client
        self._keys = keys
        self._sender = sender
        self._link = link
        self._heard = heard
        self._missed = False

    async def run(self) -> None:
        """Hears, until it is cancelled."""
        await self._link.keep(self._hear_forever, lambda _: self._miss())

    def _miss(self) -> None:
        self._missed = True

    async def _hear_forever(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._client.pubsub() as pubsub:
            await pubsub.subscribe(self._keys.channel)
            last = loop.time()
            while True:
                message = await pubsub.get_message(timeout=_SILENCE)
                if message is not None:
                    last = loop.time()
                    self._take(message["type"], message["data"])
                elif loop.time() - last > _DEAD:
                    raise TimeoutError("nothing is heard from the server any more")
                else:
                    await pubsub.ping()

    def _take(self, kind: str, data: str) -> None:
        if kind == "subscribe":
            # The client subscribes again by itself after a short cut, and says so here too.
            self._link.worked()
            if self._missed:
                self._heard([LOOK])
            self._missed = True
        elif kind == "message":
            sender, hints = unpack(data)
            if sender != self._sender and hints:
                self._heard(hints)
