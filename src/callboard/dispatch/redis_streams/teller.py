"""What this process tells the others: in one pipeline whatever gathered while the last one was on its way."""

import asyncio
from collections.abc import Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, ResponseError

from callboard.dispatch.bell import Hint, News
from callboard.dispatch.pending import Pending, pack
from callboard.dispatch.redis_streams.keys import GROUP, Keys
from callboard.dispatch.redis_streams.link import Link

_AT_ONCE = 64  # entries for one stream in one pipeline: enough to wake so many idle workers
_LONGEST = 10_000  # entries that a stream keeps, about; hints beyond are lost, and sweeps find the runs
_LIMIT = 60_000  # bytes of one message
_ACKS = 10_000  # acknowledgements kept while Redis is away


class Teller:
    """Adds entries, publishes news and acknowledges entries, without anybody waiting for it."""

    def __init__(self, client: Redis, keys: Keys, sender: str, link: Link) -> None:
        self._client = client
        self._keys = keys
        self._sender = sender
        self._link = link
        self._ready: dict[str, list[dict[str, str | int]]] = {}
        self._news = Pending()
        self._acks: dict[str, list[str]] = {}
        self._rung = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def tell(self, hints: Iterable[Hint], mark: int) -> None:
        """Takes hints to be told. `mark`: when this process's own worker heard them, see `Entries`."""
        for hint in hints:
            if hint.news is not News.READY:
                self._news.add(hint)
            else:
                entries = self._ready.setdefault(self._keys.stream(hint), [])
                if len(entries) < _AT_ONCE:
                    entries.append({"run": hint.run_id, "by": self._sender, "mark": mark})
        self._wake()

    def acknowledge(self, stream: str, entry_ids: list[str]) -> None:
        """Takes entries that nobody has to answer any more. Of too many some come again: somebody looks in vain."""
        acks = self._acks.setdefault(stream, [])
        acks.extend(entry_ids[: _ACKS - len(acks)])
        self._wake()

    async def run(self) -> None:
        """Tells, until it is cancelled."""
        # After a failure it tries again even without anything to tell: whether it works is asked for.
        await self._link.keep(self._tell_forever, lambda _: self._rung.set())

    def _wake(self) -> None:
        if self._ready or self._news or self._acks:
            self.idle.clear()
            self._rung.set()

    async def _tell_forever(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            await self._tell()
            self._link.worked()
            if not self._rung.is_set():
                self.idle.set()

    async def _tell(self) -> None:
        ready, self._ready = self._ready, {}
        acks, self._acks = self._acks, {}
        news = self._news.take()
        # No transaction: after each entry Redis serves another worker of those that wait.
        pipe = self._client.pipeline(transaction=False)
        for stream, entries in ready.items():
            for entry in entries:
                pipe.xadd(stream, entry, maxlen=_LONGEST)  # type: ignore[arg-type]
        for message in pack(self._sender, news, _LIMIT):
            pipe.publish(self._keys.channel, message)
        for stream, entry_ids in acks.items():
            if entry_ids:
                pipe.xack(stream, GROUP, *entry_ids)
        if not len(pipe):
            pipe.ping()
        try:
            answers = await pipe.execute(raise_on_error=False)
        except Exception:
            self._put_back(ready, news)
            raise
        await self._check(answers)

    def _put_back(self, ready: dict[str, list[dict[str, str | int]]], news: list[Hint]) -> None:
        """Hints are told once Redis is there again; entries that were not acknowledged come again by themselves."""
        for stream, entries in ready.items():
            self._ready[stream] = (entries + self._ready.get(stream, []))[:_AT_ONCE]
        self._news.put_back(news)
        self._wake()

    async def _check(self, answers: list[Any]) -> None:
        error = next((answer for answer in answers if isinstance(answer, ResponseError)), None)
        if isinstance(error, ReadOnlyError):  # after a failover the name leads elsewhere
            await self._client.connection_pool.disconnect(inuse_connections=False)
        if error is not None:
            raise error
