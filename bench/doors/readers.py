"""Readers of streams, in the load process."""

import asyncio
from collections.abc import Callable
from functools import partial
from time import time
from typing import cast

from bench.doors.orders import Found, Streams
from bench.doors.serving_orders import tell
from bench.doors.times import Times

_AT = b'"at":'


class Reader(asyncio.Protocol):
    """Reads one stream, and says how old each event of a journal was when it came, by the event's own word."""

    def __init__(self, request: bytes, seen: Callable[[float], None]) -> None:
        self._request = request
        self._seen = seen
        self._rest = b""
        self.status = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.out = cast(asyncio.Transport, transport)
        self.out.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time()
        if not self.status:
            self.status = data[9:12].decode()
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        for event in whole:
            at = event.find(_AT)
            if at >= 0:
                self._seen(now - float(event[at + len(_AT) : event.index(b",", at)]))


def _same(reader: Reader) -> Reader:
    return reader


async def read_streams(host: str, port: int, order: Streams) -> Found:
    """Opens the streams, tells how many are open, and reads for as long as it is asked to."""
    loop = asyncio.get_running_loop()
    times: Times | None = None

    def seen(age: float) -> None:
        if times is not None:
            times.add("events", age)

    readers: list[Reader] = []
    for run_id in order.runs:
        lines = (f"GET /v1/runs/{run_id}/stream HTTP/1.1", f"host: {host}:{port}", *order.headers)
        request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        reader = Reader(request, seen)
        await loop.create_connection(partial(_same, reader), host, port)
        readers.append(reader)
    while not all(reader.status for reader in readers):  # noqa: ASYNC110 - in another process
        await asyncio.sleep(0.01)
    await asyncio.sleep(order.settle)
    tell({"open": sum(reader.status == "200" for reader in readers)})
    times = Times()  # what was there before is old
    await asyncio.sleep(order.seconds)
    found = times.found()
    for reader in readers:
        reader.out.abort()
    return found
