"""Faults at random moments: of workers, of PostgreSQL, of Redis."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

_WEIGHTS = {
    "worker killed": 6,
    "worker stopped past its lease": 4,
    "worker stopped for a moment": 2,
    "worker told to leave": 2,
    "Redis flushed": 3,
    "Redis restarted": 2,
    "Redis frozen": 1,
    "PostgreSQL restarted at once": 3,
    "PostgreSQL restarted": 1,
}


class Victim(Protocol):
    """A worker process that can be hurt."""

    @property
    def alive(self) -> bool: ...

    def send(self, number: signal.Signals) -> None: ...

    def kill(self) -> None: ...


class Fire:
    """Does harm, and sees to it that there are always so many workers.

    Args:
        start: starts one more worker.
        size: how many there are to be.
        lease: of the workers, in seconds.
        seed: of what happens; the moments differ all the same.
    """

    def __init__(
        self,
        start: Callable[[], Victim],
        size: int,
        *,
        postgres: PostgresServer,
        redis: RedisServer,
        lease: float,
        seed: int,
        only: tuple[str, ...] = (),
    ) -> None:
        self._start = start
        self._postgres = postgres
        self._redis = redis
        self._lease = lease
        self._chance = random.Random(seed)
        self._only = only
        self._size = size
        self._stopped: set[asyncio.Task[None]] = set()
        self.workers: list[Victim] = []
        self.faults: Counter[str] = Counter()
        self.started = 0
        self._man()

    async def one(self) -> str:
        """One fault; what it was."""
        kinds = [kind for kind in _WEIGHTS if not self._only or kind in self._only]
        kind = self._chance.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
        victim = self._chance.choice([worker for worker in self.workers if worker.alive] or self._man())
        match kind:
            case "worker killed":
                await asyncio.to_thread(victim.kill)
            case "worker stopped past its lease":
                self._stop(victim, self._lease * self._chance.uniform(1.2, 3.0))
            case "worker stopped for a moment":
                self._stop(victim, self._lease * self._chance.uniform(0.1, 0.9))
            case "worker told to leave":
                victim.send(signal.SIGTERM)
            case "Redis flushed":
                await asyncio.to_thread(self._redis.flush)
            case "Redis restarted":
                await asyncio.to_thread(self._redis.restart)
            case "Redis frozen":
                await asyncio.to_thread(self._redis.freeze)
                await asyncio.sleep(self._chance.uniform(0.5, 4.0))
                await asyncio.to_thread(self._redis.thaw)
            case "PostgreSQL restarted at once":
                await asyncio.to_thread(self._postgres.restart, "immediate")
            case "PostgreSQL restarted":
                await asyncio.to_thread(self._postgres.restart, "fast")
        self.faults[kind] += 1
        self._man()
        return kind

    async def burn(self, gap: float) -> None:
        """One fault after the other, about so many seconds apart, until it is cancelled."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.3, 1.7) * gap)
            await self.one()

    async def out(self) -> None:
        """No more harm: whoever was stopped goes on."""
        for task in list(self._stopped):
            task.cancel()
        for worker in self.workers:
            worker.send(signal.SIGCONT)
        self._redis.thaw()

    def close(self) -> None:
        """Kills all that are left."""
        for worker in self.workers:
            worker.kill()

    def _man(self) -> list[Victim]:
        """Sees to it that there are enough workers."""
        living = [worker for worker in self.workers if worker.alive]
        for _ in range(self._size - len(living)):
            self.workers.append(self._start())
            self.started += 1
        return self.workers

    def _stop(self, victim: Victim, seconds: float) -> None:
        async def stop() -> None:
            victim.send(signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                victim.send(signal.SIGCONT)

        task = asyncio.create_task(stop())
        self._stopped.add(task)
        task.add_done_callback(self._stopped.discard)


@asynccontextmanager
async def burning(fire: Fire, gap: float) -> AsyncIterator[None]:
    """Faults happen within the block."""
    task = asyncio.create_task(fire.burn(gap))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
        await fire.out()
