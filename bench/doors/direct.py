"""What the door stands on, as `python -m bench.doors.direct STORE`: takes the load process's orders, and starts runs by
calling the runtime in its own process."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import msgspec
import uvloop

from bench.doors.flows import app, echo
from bench.doors.orders import Found, Load, Streams
from bench.doors.serving_orders import serve_orders
from bench.doors.times import Times
from bench.places.place import opened

_PERIOD = 0.001
_MANY = 1_000_000_000  # ready runs, so that nobody is refused

Start = Callable[[], Awaitable[Any]]


async def closed(start: Start, load: Load) -> Found:
    """As many callers as connections, each starts again as soon as it has its handle."""
    times = Times()

    async def caller() -> None:
        while (due := perf_counter()) - times.begun < load.seconds:
            await start()
            times.add("201", perf_counter() - due)

    await asyncio.gather(*[caller() for _ in range(load.connections)])
    return times.found()


async def at_rate(start: Start, load: Load) -> Found:
    """Starts are due at a fixed rate; each is timed from when it was due."""
    times, total, tasks = Times(), int(load.rate * load.seconds), set()

    async def one(due: float) -> None:
        await start()
        times.add("201", perf_counter() - due)

    made = 0
    while made < total:
        wanted = min(total, int((perf_counter() - times.begun) * load.rate) + 1)
        while made < wanted:
            task = asyncio.ensure_future(one(times.begun + made / load.rate))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            made += 1
        await asyncio.sleep(_PERIOD)
    await asyncio.gather(*tasks)
    return times.found()


async def serve(store: str) -> None:
    """Until the input ends."""
    async with opened(app, store, worker=False, max_ready=_MANY, max_ready_tenant=_MANY) as rt:

        async def carry_out(order: Load | Streams) -> Found:
            assert isinstance(order, Load)
            value = msgspec.json.decode(order.body)["input"]

            async def start() -> None:
                await rt.start(echo, value)

            return await (at_rate if order.rate else closed)(start, order)

        await serve_orders(carry_out)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1]))
