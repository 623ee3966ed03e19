"""A breaker counts over all worker processes, wherever the counters are; one call of all finds out when it is over."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callboard.resilience.gate import KEEP
from tests.fleet.fleet import Fleet, fleet
from tests.fleet.orders import Orders
from tests.fleet.outside import Outside
from tests.fleet.town import ALONE
from tests.servers.redis import RedisServer

DOWN, REFUSED = ["upstream_down", None], ["upstream_down", "breaker"]


async def ask(company: Fleet, worker: str, questions: int) -> list[Any]:
    """Runs of one worker that ask the office, one after the other."""
    said = []
    for _ in range(questions):
        said += await company.results(await company.begin(f"asking{worker}", ["when"]))
    return said


@pytest.mark.parametrize("place", ["postgres", "redis"])
async def test_five_failures_of_two_processes_open_it_for_both_and_one_probe_closes_it(
    new_database: Callable[..., str], redis_server: RedisServer, tmp_path: Path, place: str
) -> None:
    dispatch = redis_server.url if place == "redis" else ""
    orders = Orders(store=new_database("breaker"), folder=str(tmp_path), dispatch=dispatch, suffixes=("/a", "/b"))
    closed, outside = tmp_path / "closed", Outside(orders.outside)
    closed.touch()
    async with fleet(orders) as company:
        (a,) = await company.working(1, suffixes=("/a",))
        (b,) = await company.working(1, suffixes=("/b",))

        assert await ask(company, "/a", 3) == [DOWN] * 3
        assert await ask(company, "/b", 2) == [DOWN] * 2
        opened = time.monotonic()
        assert [call.pid for call in outside.calls("office")] == [a.pid] * 3 + [b.pid] * 2
        assert a.pid != b.pid

        await asyncio.sleep(KEEP)
        asked = time.monotonic()
        while (said := [*await ask(company, "/a", 1), *await ask(company, "/b", 1)]) != [REFUSED] * 2:
            # Only on a machine so slow that it was over may somebody have asked; then it is open anew.
            assert time.monotonic() - opened >= ALONE, said
            opened, asked = asked, time.monotonic()
        if time.monotonic() - opened < ALONE:
            assert len(outside.calls("office when")) == 5

        await asyncio.sleep(ALONE)
        begun = time.monotonic()
        handles = await company.begin("asking/a", ["still?"] * 10) + await company.begin("asking/b", ["still?"] * 10)
        said = await company.results(handles)
        probes = len(outside.calls("office still?"))
        assert 1 <= probes <= 1 + (time.monotonic() - begun) / ALONE
        assert said.count(DOWN) == probes
        assert said.count(REFUSED) == 20 - probes

        closed.unlink()
        await asyncio.sleep(ALONE)
        assert [await ask(company, "/a", 1), await ask(company, "/b", 1)] == [["answer to when"]] * 2
        assert await company.results(await company.begin("asking/b", ["now?"] * 10)) == ["answer to now?"] * 10
