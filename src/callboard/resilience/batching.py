"""Many runs of one process that ask for the same name share a round trip."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from callboard.domain.errors import StoreError
from callboard.resilience.counters import Counters

_BATCH = 1_000  # asks in one statement at most

A = TypeVar("A")
R = TypeVar("R")


class Batching:
    """Counters before which takes of one rate, and reads of one value, line up while the last one is under way.

    Under load a line costs one round trip at a time, however many are in it; a lone ask goes at once. Who was
    there first is granted first. All else goes straight through.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._takes: dict[Hashable, _Line[float, float]] = {}
        self._reads: dict[Hashable, _Line[None, tuple[int, bytes, float]]] = {}

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        """See Counters. Who gives up while the answer is on its way gets what was granted given back."""

        async def send(costs: list[float]) -> list[float]:
            return await self._counters.take_all(name, costs, limit, period)

        async def unwanted(cost: float, wait: float) -> None:
            if wait == 0.0:
                with contextlib.suppress(StoreError):
                    await self._counters.give_back(name, cost, limit, period)

        return await _line(self._takes, (name, limit, period), send, unwanted).ask(cost)

    async def take_all(self, name: str, costs: Sequence[float], limit: float, period: float) -> list[float]:
        """See Counters."""
        return await self._counters.take_all(name, costs, limit, period)

    async def give_back(self, name: str, cost: float, limit: float, period: float) -> None:
        """See Counters."""
        await self._counters.give_back(name, cost, limit, period)

    async def enter(self, name: str, holder: str, limit: int, lease: float) -> bool:
        """See Counters."""
        return await self._counters.enter(name, holder, limit, lease)

    async def leave(self, name: str, holder: str) -> None:
        """See Counters."""
        await self._counters.leave(name, holder)

    async def read(self, name: str) -> tuple[int, bytes, float]:
        """See Counters. All who are in line get what one read that began after they came has found."""

        async def send(asks: list[None]) -> list[tuple[int, bytes, float]]:
            return [await self._counters.read(name)] * len(asks)

        return await _line(self._reads, name, send, None).ask(None)

    async def swap(self, name: str, version: int, value: bytes) -> bool:
        """See Counters."""
        return await self._counters.swap(name, version, value)

    async def add(self, name: str, n: int, window: float) -> int:
        """See Counters."""
        return await self._counters.add(name, n, window)

    async def count(self, name: str, window: float) -> int:
        """See Counters."""
        return await self._counters.count(name, window)

    async def forget(self, name: str) -> None:
        """See Counters."""
        await self._counters.forget(name)


class _Line(Generic[A, R]):
    """Asks that wait for the one answer under way, then go together. Lives as long as somebody is in it."""

    def __init__(
        self,
        send: Callable[[list[A]], Awaitable[list[R]]],
        unwanted: Callable[[A, R], Awaitable[None]] | None,
        ended: Callable[[], object],
    ) -> None:
        self._send = send
        self._unwanted = unwanted
        self._ended = ended
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._serving: asyncio.Task[None] | None = None

    async def ask(self, what: A) -> R:
        """The answer to this ask."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((what, future))
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())
        return await future

    async def _serve(self) -> None:
        try:
            while self._waiting:
                here = [(what, future) for what, future in self._waiting if not future.done()]
                batch, self._waiting = here[:_BATCH], here[_BATCH:]
                if batch:
                    await self._answer(batch)
        finally:  # nothing awaits between the last look and this, so nobody is left behind
            self._ended()
            for _, future in self._waiting:
                future.cancel()

    async def _answer(self, batch: list[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._send([what for what, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        gone = []
        for (what, future), answer in zip(batch, answers, strict=True):
            if future.done():
                gone.append((what, answer))
            else:
                future.set_result(answer)
        for what, answer in gone:
            if self._unwanted is not None:
                await self._unwanted(what, answer)


def _line(
    lines: "dict[Hashable, _Line[A, R]]",
    key: Hashable,
    send: Callable[[list[A]], Awaitable[list[R]]],
    unwanted: Callable[[A, R], Awaitable[None]] | None,
) -> _Line[A, R]:
    if key not in lines:
        lines[key] = _Line(send, unwanted, lambda: lines.pop(key))
    return lines[key]
