"""Who watches and who speaks is in another process than who executes."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from callboard.streams.stream import START
from tests.fleet.fleet import PATIENCE, fleet
from tests.fleet.orders import Orders
from tests.servers.redis import RedisServer

both = pytest.mark.parametrize("dispatch", ["postgres", "redis"])


def orders_of(new_database: Callable[..., str], redis: RedisServer, folder: Path, dispatch: str, **more: Any) -> Orders:
    bell = redis.url if dispatch == "redis" else ""
    return Orders(store=new_database("watching"), folder=str(folder), dispatch=bell, **more)


@both
async def test_events_can_be_followed_from_another_process_and_gone_on_with(
    new_database: Callable[..., str], redis_server: RedisServer, tmp_path: Path, dispatch: str
) -> None:
    orders = orders_of(new_database, redis_server, tmp_path, dispatch)
    async with fleet(orders) as company:
        (first,) = await company.working(1)
        (handle,) = await company.begin("talking", [30])
        seen: list[int] = []
        async with aclosing(handle.events()) as events:  # type: ignore[type-var]
            async for event in events:
                seen.append(event.seq)
                if len(seen) == 10:
                    break
        first.kill()
        await company.working(1)
        async for event in handle.events(after=seen[-1]):
            seen.append(event.seq)
        assert seen == list(range(32))
        assert await company.results([handle]) == [30]


@both
async def test_a_stream_can_be_followed_from_another_process_and_gone_on_with(
    new_database: Callable[..., str], redis_server: RedisServer, tmp_path: Path, dispatch: str
) -> None:
    orders = orders_of(new_database, redis_server, tmp_path, dispatch)
    async with fleet(orders) as company:
        await company.working(1)
        (handle,) = await company.begin("talking", [60])
        said: list[Any] = []
        after = START  # however late it comes
        async with asyncio.timeout(PATIENCE):
            for heard in (5, 10):  # the second time from where the first one stopped
                async with aclosing(handle.stream(after)) as chunks:  # type: ignore[type-var]
                    async for chunk in chunks:
                        if chunk.kind == "progress":
                            said.append(chunk.value)
                            after = chunk.id
                        if len(said) == heard:
                            break
        assert said == list(range(10))
        assert await company.results([handle]) == [60]


@both
async def test_a_signal_from_another_process_reaches_a_run_that_is_at_work_long_before_a_sweep(
    new_database: Callable[..., str], redis_server: RedisServer, tmp_path: Path, dispatch: str
) -> None:
    slow = {"sweep": 300.0, "beat": 1.0, "lease": 600.0}
    orders = orders_of(new_database, redis_server, tmp_path, dispatch, engine=slow)
    async with fleet(orders) as company:
        await company.working(1)
        (handle,) = await company.begin("attentive", [110.0])
        await company.until_row("SELECT 1 FROM events WHERE kind = 3")  # it is in its race now, or soon
        await handle.signal("go", "heard")
        async with asyncio.timeout(PATIENCE):
            while not (await handle.status()).ended:
                await asyncio.sleep(0.05)
        assert (await company.door.store.runs.outcomes("default", [handle.id]))[handle.id].output == "heard"
