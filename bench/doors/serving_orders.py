"""How a process of these measurements takes orders: lines of JSON in, lines of JSON out, until its input ends."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from bench.doors.orders import Load, Streams

_LONGEST = 1024 * 1024  # bytes of an order


async def serve_orders(carry_out: Callable[[Load | Streams], Awaitable[Any]]) -> None:
    """Carries out one order after the other, and tells what came of it."""
    orders = asyncio.StreamReader(limit=_LONGEST)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        tell(await carry_out(msgspec.json.decode(line, type=Load | Streams)))


def tell(value: Any) -> None:
    """Says something to whoever gave the order."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()
