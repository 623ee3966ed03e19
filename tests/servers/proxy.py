"""A proxy that does what networks do: refuse, swallow, delay, mute one direction, cut at the worst moment.

It runs in a thread and a loop of its own, so that a test's loop may be busy, stalled or gone.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

from tests.servers.postgres_frames import PostgresFraming
from tests.servers.redis_frames import RedisFraming
from tests.servers.requests import Answered, Asked, Framing, Request, executes

_CHUNK = 65_536
_TLS_REQUESTS = (80_877_103, 80_877_104)
_FRAMINGS: dict[str, tuple[Callable[[], Framing], int]] = {
    "postgresql": (PostgresFraming, 5432),
    "postgres": (PostgresFraming, 5432),
    "redis": (RedisFraming, 6379),
}

Of = Callable[[Request], bool]
Direction = Literal["requests", "replies"]
T = TypeVar("T")


class NotCut(Exception):
    """The request that was to be cut did not come, or was not answered, in time."""


class Cut:
    """An order to cut one connection at one request. `wait` tells which request it was."""

    def __init__(self, nth: int, of: Of, *, forward: bool) -> None:
        self.forward = forward
        self._left = nth
        self._of = of
        self._request: Request | None = None
        self._happened = threading.Event()

    @property
    def happened(self) -> bool:
        return self._happened.is_set()

    def wait(self, timeout: float = 10) -> Request:
        """Waits until the connection is cut; in a running loop by way of `asyncio.to_thread`."""
        if not self._happened.wait(timeout):
            raise NotCut("not in time" if self._request is None else f"{self._request} was not answered in time")
        assert self._request is not None
        return self._request

    def claims(self, request: Request) -> bool:
        """Counts the request down; whether it is the one to be cut."""
        if self._request is not None or not self._of(request):
            return False
        self._left -= 1
        if self._left:
            return False
        self._request = request
        return True

    def done(self) -> None:
        self._happened.set()


@dataclass(eq=False, slots=True)
class _Line:
    """One client's connection, and ours to the server for it."""

    number: int
    client: asyncio.StreamWriter
    framing: Framing
    server: asyncio.StreamWriter | None = None
    open: deque[Cut | None] = field(default_factory=deque)  # of each open request, who wants its answer swallowed
    dead: bool = False  # has lost bytes: may never speak again

    def abort(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()


class FaultProxy:
    """Stands before the server that `url` names, at a port of 127.0.0.1. Passes everything on until told otherwise."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._framing, port = _FRAMINGS[parts.scheme]
        self._upstream = parts.hostname or "127.0.0.1", parts.port or port
        self._muted: set[Direction] = set()
        self._delay = 0.0
        self._lines: set[_Line] = set()
        self._count = 0
        self._requests: list[Request] = []
        self._cuts: list[Cut] = []
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._thread.start()
        self._do(self._listen())

    def url(self, direct: str) -> str:
        """The same URL, by way of this proxy."""
        parts = urlsplit(direct)
        own, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{own}{at}127.0.0.1:{self.port}"))

    def heal(self) -> None:
        """Passes everything on again. Connections that have lost bytes are cut: what follows would make no sense."""

        async def heal() -> None:
            self._muted.clear()
            self._delay = 0.0
            self._cuts.clear()
            for line in [line for line in self._lines if line.dead]:
                line.abort()
            await self._listen()

        self._do(heal())

    def refuse(self) -> None:
        """Cuts all connections and refuses new ones, as when the server's machine has no such service."""

        async def refuse() -> None:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            self._cut_all()

        self._do(refuse())

    def cut(self) -> None:
        """Cuts all connections; new ones are welcome."""

        async def cut() -> None:
            self._cut_all()

        self._do(cut())

    def black_hole(self) -> None:
        """Accepts connections and bytes and never says a word, in either direction."""
        self._mute({"requests", "replies"})

    def mute(self, direction: Direction) -> None:
        """Swallows one direction: `requests` never get to the server, or `replies` never get to the client."""
        self._mute({direction})

    def delay(self, seconds: float) -> None:
        """Holds whatever is read, in each direction, for so long before it is passed on."""

        async def delay() -> None:
            self._delay = seconds

        self._do(delay())

    def cut_reply(self, nth: int = 1, of: Of = executes) -> Cut:
        """Lets the server carry out and answer the nth such request from now on, and cuts before the client hears.

        To the client the outcome is unknown; it was done.
        """
        return self._order(Cut(nth, of, forward=True))

    def cut_request(self, nth: int = 1, of: Of = executes) -> Cut:
        """Cuts the connection at the nth of such requests from now on, which the server never sees.

        To the client the outcome is unknown; it was not done.
        """
        return self._order(Cut(nth, of, forward=False))

    @property
    def requests(self) -> list[Request]:
        """All requests seen so far, over all connections."""
        return list(self._requests)

    def seen(self, of: Of = executes) -> int:
        """How many such requests were seen so far: the cut points of what was played."""
        return sum(1 for request in self.requests if of(request))

    def forget(self) -> None:
        """Forgets the requests seen so far."""

        async def forget() -> None:
            self._requests.clear()

        self._do(forget())

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._lines)

    def close(self) -> None:
        """Cuts everything and ends the thread."""
        if self._loop.is_closed():
            return
        self.refuse()
        self._do(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def _order(self, cut: Cut) -> Cut:
        async def order() -> None:
            self._cuts.append(cut)

        self._do(order())
        return cut

    def _mute(self, directions: set[Direction]) -> None:
        async def mute() -> None:
            self._muted |= directions

        self._do(mute())

    def _cut_all(self) -> None:
        for line in list(self._lines):
            line.abort()

    async def _settle(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._welcome, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._count += 1
        line = _Line(self._count, writer, self._framing())
        self._lines.add(line)
        try:
            await self._serve(line, reader)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either end is gone, or the test is over
        finally:
            line.abort()
            self._lines.discard(line)
            self._tasks.discard(task)

    async def _serve(self, line: _Line, reader: asyncio.StreamReader) -> None:
        begun = b""
        if isinstance(line.framing, PostgresFraming):
            begun = await self._decline_tls(line, reader)
        answers, line.server = await asyncio.open_connection(*self._upstream)
        up = asyncio.ensure_future(self._pump_requests(line, reader, begun))
        down = asyncio.ensure_future(self._pump_replies(line, answers))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _decline_tls(self, line: _Line, reader: asyncio.StreamReader) -> bytes:
        """Answers for the server that it speaks no TLS: nothing could be told apart in it."""
        while True:
            begun = await reader.readexactly(8)
            if int.from_bytes(begun[4:], "big") not in _TLS_REQUESTS:
                return begun
            line.dead = line.dead or bool(self._muted)
            if not line.dead:
                line.client.write(b"N")

    async def _pump_requests(self, line: _Line, reader: asyncio.StreamReader, begun: bytes) -> None:
        assert line.server is not None
        data = begun or await reader.read(_CHUNK)
        while data:
            await asyncio.sleep(self._delay)
            if "requests" in self._muted:
                line.dead = True
            if not line.dead:
                for asked in line.framing.asked(data):
                    if not self._may_pass(line, asked):
                        return
                    line.server.write(asked.data)
                await line.server.drain()
            data = await reader.read(_CHUNK)

    def _may_pass(self, line: _Line, asked: Asked) -> bool:
        """Notes a request. False: it is cut here."""
        if asked.kind is None:
            return True
        request = Request(len(self._requests) + 1, line.number, asked.kind, asked.statements)
        self._requests.append(request)
        cut = next((cut for cut in self._cuts if cut.claims(request)), None)
        if cut is not None:
            self._cuts.remove(cut)
            if not cut.forward:
                line.abort()
                cut.done()
                return False
        line.open.append(cut)
        return True

    async def _pump_replies(self, line: _Line, answers: asyncio.StreamReader) -> None:
        while data := await answers.read(_CHUNK):
            await asyncio.sleep(self._delay)
            if "replies" in self._muted:
                line.dead = True
            if line.dead:
                continue
            for answered in line.framing.answered(data):
                if not self._may_return(line, answered):
                    return
            await line.client.drain()

    def _may_return(self, line: _Line, answered: Answered) -> bool:
        """Passes an answer on, or swallows it. False: the connection is cut now."""
        cut = line.open[0] if line.open else None
        if cut is None or answered.pass_on:
            line.client.write(answered.data)
        if answered.ends and line.open:
            line.open.popleft()
            if cut is not None:
                line.abort()
                cut.done()
                return False
        return True
