"""Redis forgets everything, restarts, or goes silent under the bell and the streams: hints flow again afterwards,
and nobody who rings or publishes waits or fails meanwhile."""

import asyncio
import contextlib
import inspect
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from callboard.dispatch.bell import LOOK, Hint, News
from callboard.dispatch.in_process import InProcessBell
from callboard.dispatch.redis_streams import RedisBell
from callboard.streams.redis import RedisStream
from callboard.streams.stream import GAP, START, Chunk
from tests.servers.redis import RedisServer

IDS = [f"{n:026d}" for n in range(200)]
TIMEOUT = 0.5  # seconds that Redis has for an answer
Trouble = Callable[[RedisServer], Any]


@pytest.fixture(params=["it forgets everything", "it restarts", "it is away for a while", "it goes silent"])
def trouble(request: pytest.FixtureRequest) -> list[Trouble]:
    """How Redis is lost, step by step; between the steps the bell is rung."""
    steps: dict[str, list[Trouble]] = {
        "it forgets everything": [RedisServer.flush],
        "it restarts": [RedisServer.restart],
        "it is away for a while": [RedisServer.kill, RedisServer.start],
        "it goes silent": [RedisServer.freeze, RedisServer.thaw],
    }
    return steps[request.param]


@pytest.fixture
def server(private_redis: Callable[[], RedisServer]) -> RedisServer:
    return private_redis()


class Fleet:
    """A door that rings, and two workers that claim whenever they hear something."""

    def __init__(self, server: RedisServer) -> None:
        self.errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.errors.append(context))
        self.door = self._bell(server, "door", claims=False)
        self.workers = [self._bell(server, f"worker-{n}", claims=True) for n in range(2)]
        self.heard: list[list[Hint]] = [[], []]
        for bell, heard in zip(self.workers, self.heard, strict=True):
            bell.listen(lambda hints, bell=bell, heard=heard: self._claim(bell, heard, hints))  # type: ignore[misc]

    @property
    def bells(self) -> list[RedisBell]:
        return [self.door, *self.workers]

    def ring(self, *hints: Hint) -> None:
        with waiting_forbidden():
            assert self.door.ring(hints) is None
            self.workers[0].answered(self.workers[0].mark())

    async def works(self) -> None:
        """News reaches all, and runs that are ready reach somebody."""
        ended, ready = Hint(News.ENDED, IDS[-1]), Hint(News.READY, IDS[-2])
        for heard in self.heard:
            heard.clear()
        async with asyncio.timeout(90):
            while not (all(ended in heard for heard in self.heard) and any(ready in heard for heard in self.heard)):
                self.ring(ended, ready)
                await asyncio.sleep(0.05)

    def _claim(self, bell: RedisBell, heard: list[Hint], hints: list[Hint]) -> None:
        mark = bell.mark()
        heard.extend(hints)
        bell.answered(mark)

    def _bell(self, server: RedisServer, name: str, *, claims: bool) -> RedisBell:
        return RedisBell(server.url, InProcessBell(), "fleet", name, claims=claims, takeover=0.5, timeout=TIMEOUT)


@contextlib.contextmanager
def waiting_forbidden() -> Iterator[None]:
    """Nothing that happens within may touch a socket, and so nothing can wait for the server."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was used while somebody rang")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("send", "sendall", "sendmsg", "recv", "recv_into", "connect", "connect_ex"):
            patch.setattr(socket.socket, name, refuse, raising=False)
        yield


@pytest.fixture
async def fleet(server: RedisServer) -> AsyncIterator[Fleet]:
    made = Fleet(server)
    for bell in made.bells:
        await bell.open()
    yield made
    for bell in made.bells:
        await bell.close()


async def test_hints_flow_again_after_redis_was_lost(fleet: Fleet, server: RedisServer, trouble: list[Trouble]) -> None:
    await fleet.works()
    for number, step in enumerate(trouble):
        await asyncio.to_thread(step, server)
        for n in range(100):
            fleet.ring(Hint(News.READY, IDS[n]), Hint(News.INBOX, IDS[n]))
            await asyncio.sleep(0)
        if number == 0 and len(trouble) > 1:
            await until(lambda: not any(bell.healthy for bell in fleet.bells))
    await fleet.works()
    await until(lambda: all(bell.healthy for bell in fleet.bells))
    assert not fleet.errors


async def test_after_an_outage_every_worker_looks(fleet: Fleet, server: RedisServer) -> None:
    await fleet.works()
    await asyncio.to_thread(server.kill)
    await until(lambda: not any(bell.healthy for bell in fleet.bells))
    for heard in fleet.heard:
        heard.clear()
    await asyncio.to_thread(server.start)
    await until(lambda: all(LOOK in heard for heard in fleet.heard))


async def test_what_was_rung_while_redis_was_away_is_told_afterwards(fleet: Fleet, server: RedisServer) -> None:
    await fleet.works()
    await asyncio.to_thread(server.kill)
    await until(lambda: not fleet.workers[0].healthy and not fleet.workers[1].healthy)
    fleet.ring(Hint(News.READY, IDS[3]))
    await until(lambda: not fleet.door.healthy)
    await asyncio.to_thread(server.start)
    # Redis has forgotten all streams: entries stand in them before the group is there again, or after.
    await until(lambda: any(Hint(News.READY, IDS[3]) in heard for heard in fleet.heard))


async def test_a_bell_opens_and_closes_without_redis(server: RedisServer) -> None:
    await asyncio.to_thread(server.kill)
    fleet = Fleet(server)
    for bell in fleet.bells:
        await bell.open()
        assert not bell.healthy or bell is fleet.door
    fleet.ring(Hint(News.READY, IDS[0]))
    for bell in fleet.bells:
        await bell.close()
    assert not fleet.errors


def test_ringing_and_publishing_are_no_coroutines() -> None:
    for call in (RedisBell.ring, RedisBell.mark, RedisBell.answered, RedisStream.publish):
        assert not inspect.iscoroutinefunction(call)


async def test_chunks_flow_again_after_redis_was_lost(server: RedisServer, trouble: list[Trouble]) -> None:
    writer, reader = (RedisStream(server.url, "fleet", each, timeout=TIMEOUT) for each in ("writer", "reader"))
    await writer.open()
    await reader.open()
    read: list[Chunk] = []

    async def follow() -> None:
        async for chunk in reader.follow("acme", "run", START):
            read.append(chunk)

    following = asyncio.create_task(follow())
    number = 0

    async def publish() -> None:
        nonlocal number
        number += 1
        with waiting_forbidden():
            assert writer.publish(Chunk("run", 1, "0:model", number, "delta", number, "acme")) is None
        await asyncio.sleep(0.01)

    for step in (lambda _: None, *trouble):
        await asyncio.to_thread(step, server)
        for _ in range(50):
            await publish()
    last = number
    async with asyncio.timeout(90):
        while not read or read[-1].number < last:
            await publish()
    seen = 0
    for chunk in read:  # each is read once, in order, or told as lost
        seen += chunk.value["lost"] if chunk.kind == GAP else 1
        assert chunk.number == seen
    following.cancel()
    await asyncio.wait([following])
    await writer.close()
    await reader.close()


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(90):
        while not done():
            await asyncio.sleep(0.02)
