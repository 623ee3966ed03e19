"""The process that puts load on a door, as `python -m bench.doors.load HOST:PORT`.

It speaks HTTP/1.1 on kept connections with as little work as that takes: the door has to be the one that is busy.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import cast

import uvloop

from bench.doors.orders import Found, Load, Streams
from bench.doors.readers import read_streams
from bench.doors.serving_orders import serve_orders
from bench.doors.times import Times

_PERIOD = 0.001  # seconds between two looks at who is due
_SETTLE = 10.0  # seconds that answers may take after the last request


class Line(asyncio.Protocol):
    """A kept connection with one request at a time. `answered` is told of each answer; `0` is a lost connection."""

    def __init__(self, answered: Callable[["Line", str], None]) -> None:
        self._answered = answered
        self._got = b""
        self._waiting = False
        self.due = 0.0
        self.out: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.out = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.out = None
        if self._waiting:
            self._waiting = False
            self._answered(self, "0")

    def ask(self, request: bytes, due: float) -> None:
        """Sends a request that was due at some time of `perf_counter`."""
        assert self.out is not None
        self.due = due
        self._waiting = True
        self.out.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._got[:end].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self._got) < end + 4 + length:
            return
        self._got = b""
        self._waiting = False
        self._answered(self, head[9:12].decode())


async def connected(address: tuple[str, int], count: int, answered: Callable[[Line, str], None]) -> list[Line]:
    """So many connections."""
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(lambda: Line(answered), *address))[1] for _ in range(count)]


async def closed(address: tuple[str, int], load: Load) -> Found:
    """Each connection asks again as soon as it has its answer."""
    request = _request(address, load)
    busy, done = load.connections, asyncio.Event()

    def answered(line: Line, status: str) -> None:
        nonlocal busy
        now = perf_counter()
        times.add(status, now - line.due)
        if now < until and line.out is not None:
            line.ask(request, now)
        else:
            busy -= 1
            if not busy:
                done.set()

    lines = await connected(address, load.connections, answered)
    times = Times()
    until = times.begun + load.seconds
    for line in lines:
        line.ask(request, perf_counter())
    async with asyncio.timeout(load.seconds + _SETTLE):
        await done.wait()
    found = times.found()
    _hang_up(lines)
    return found


async def at_rate(address: tuple[str, int], load: Load) -> Found:
    """Requests are due at a fixed rate, whatever comes of them; each is timed from when it was due, not from when there
    was a connection for it."""
    request = _request(address, load)
    busy = 0
    due: deque[float] = deque()

    def answered(line: Line, status: str) -> None:
        nonlocal busy
        busy -= 1
        times.add(status, perf_counter() - line.due)
        if line.out is not None:
            free.append(line)
            send()

    def send() -> None:
        nonlocal busy
        while due and free:
            line = free.popleft()
            if line.out is not None:
                busy += 1
                line.ask(request, due.popleft())

    lines = await connected(address, load.connections, answered)
    free = deque(lines)
    times, total, made = Times(), int(load.rate * load.seconds), 0
    while made < total:
        wanted = min(total, int((perf_counter() - times.begun) * load.rate) + 1)
        while made < wanted:
            due.append(times.begun + made / load.rate)
            made += 1
        send()
        await asyncio.sleep(_PERIOD)
    limit = perf_counter() + _SETTLE
    while busy and perf_counter() < limit:  # noqa: ASYNC110 - many connections change it
        await asyncio.sleep(_PERIOD)
    found = times.found(busy + len(due))
    _hang_up(lines)
    return found


def _request(address: tuple[str, int], load: Load) -> bytes:
    head = [f"{load.method} {load.path} HTTP/1.1", f"host: {address[0]}:{address[1]}", *load.headers]
    body = load.body.encode()
    if body:
        head += ["content-type: application/json", f"content-length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def _hang_up(lines: list[Line]) -> None:
    for line in lines:
        if line.out is not None:
            line.out.abort()


async def serve(host: str, port: int) -> None:
    """Until the input ends."""

    async def carry_out(order: Load | Streams) -> Found:
        if isinstance(order, Streams):
            return await read_streams(host, port, order)
        return await (at_rate if order.rate else closed)((host, port), order)

    await serve_orders(carry_out)


if __name__ == "__main__":
    place, _, number = sys.argv[1].rpartition(":")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(place, int(number)))
