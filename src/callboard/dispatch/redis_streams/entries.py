"""READY hints for this process's worker: each entry goes to one worker, and to another if that one does not answer."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from callboard.dispatch.bell import LOOK, Hint, News
from callboard.dispatch.redis_streams.keys import GROUP, Keys
from callboard.dispatch.redis_streams.link import Link
from callboard.dispatch.redis_streams.teller import Teller

_AT_ONCE = 8  # entries of a stream that one worker takes: one claim answers them all
_GONE = 12  # a consumer without entries that was not heard of for so many takeover times is removed


class Entries:
    """A consumer of the group. It takes no more while what it took is not answered: a full worker leaves the
    hints to others.

    Args:
        consumer: this process's name, like no other's.
        heard: is told the hints.
        takeover: seconds after which an entry that was not answered goes to whoever asks.
        block: seconds that a read waits in Redis.
    """

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        consumer: str,
        teller: Teller,
        link: Link,
        *,
        heard: Callable[[list[Hint]], None],
        takeover: float,
        block: float,
    ) -> None:
        self._client = client
        self._keys = keys
        self._consumer = consumer
        self._teller = teller
        self._link = link
        self._heard = heard
        self._takeover = takeover
        self._block = int(block * 1000)
        self._cursors: dict[str, str] = {}
        self._open: dict[tuple[str, str], int] = {}  # by (stream, entry): the mark at which it was heard
        self._answered = asyncio.Event()
        self._answered.set()
        self._missed = False
        self._tend_at = 0.0
        self._up_to = 0  # everything heard up to this mark was answered
        self.mark = 0

    def rung(self) -> int:
        """This process rings itself: its worker hears at once, and its entries say at which mark."""
        self.mark += 1
        return self.mark

    def answered(self, mark: int) -> None:
        """A claim was made after that mark."""
        self._up_to = max(self._up_to, min(mark, self.mark))
        by_stream: dict[str, list[str]] = {}
        for (stream, entry_id), at in list(self._open.items()):
            if at <= mark:
                del self._open[stream, entry_id]
                by_stream.setdefault(stream, []).append(entry_id)
        for stream, entry_ids in by_stream.items():
            self._teller.acknowledge(stream, entry_ids)
        if not self._open:
            self._answered.set()

    async def run(self) -> None:
        """Hears, until it is cancelled."""
        await self._link.keep(self._hear_forever, self._lost)

    def _lost(self, error: ResponseError | None) -> None:
        self._missed = True

    async def _hear_forever(self) -> None:
        # The group may be gone together with everything else in Redis. It is made for the streams' beginnings:
        # entries may be there already.
        for stream in self._keys.streams:
            await self._join(stream)
        self._link.worked()
        if self._missed:
            self._missed = False
            self._heard([LOOK])
        streams = dict.fromkeys(self._keys.streams, ">")
        while True:
            await self._answered.wait()
            await self._tend()
            self._take(
                await self._client.xreadgroup(GROUP, self._consumer, streams, count=_AT_ONCE, block=self._block)  # type: ignore[arg-type]
            )

    async def _join(self, stream: str) -> None:
        try:
            await self._client.xgroup_create(stream, GROUP, "0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _take(self, answer: Any) -> None:
        """Remembers entries as heard, and tells. Of an entry of this process the worker was told when it was rung;
        it is left to others only if the worker has not claimed since."""
        hints: list[Hint] = []
        heard = self.rung() if answer else self.mark
        for stream, entries in answer or ():
            done = []
            for entry_id, fields in entries:
                if entry_id is None:  # Redis 6 says so of an entry that was trimmed before it was taken over
                    continue
                # A mark that is still to come is of an earlier process of the same name.
                own = bool(fields) and fields.get("by") == self._consumer and int(fields["mark"]) <= heard
                mark = int(fields["mark"]) if own else heard
                if not fields or mark <= self._up_to:
                    done.append(entry_id)
                    continue
                self._open[stream, entry_id] = mark
                if not own:
                    hints.append(Hint(News.READY, fields.get("run", "")))
            if done:
                self._teller.acknowledge(stream, done)
        if self._open:
            self._answered.clear()
        if hints:
            self._heard(hints)

    async def _tend(self) -> None:
        """Now and then: takes over what others left, and removes those who left nothing."""
        now = asyncio.get_running_loop().time()
        if now < self._tend_at:
            return
        self._tend_at = now + self._takeover
        taken: list[tuple[str, Iterable[Any]]] = []
        for stream in self._keys.streams:
            answer: Any = await self._client.xautoclaim(
                stream,
                GROUP,
                self._consumer,
                int(self._takeover * 1000),
                self._cursors.get(stream, "0-0"),
                count=_AT_ONCE,
            )
            self._cursors[stream] = answer[0]
            taken.append((stream, answer[1]))
            await self._bury(stream)
        self._take(taken)
        await self._answered.wait()

    async def _bury(self, stream: str) -> None:
        for consumer in await self._client.xinfo_consumers(stream, GROUP):
            idle = consumer["idle"] / 1000 > self._takeover * _GONE
            if idle and not consumer["pending"] and consumer["name"] != self._consumer:
                await self._client.xgroup_delconsumer(stream, GROUP, consumer["name"])
