"""A gateway that is killed in the middle of everything, and one that is asked to leave."""

import asyncio
import random
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import msgspec
import pytest

import callboard as cb
from callboard.apps.gateway.views import event_view
from callboard.settings import EngineSettings
from tests.acceptance.gateway.gateway_process import GatewayProcess, gateway_process
from tests.acceptance.gateway.house import SECRET, Said, follow, parsed, town

KILLS = 4
STEPS = 100


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_killed_in_mid_stream_again_and_again_a_reader_has_seen_the_journal_each_event_once(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The run goes on in this process; there is always another gateway to come back to, and the last is not killed."""
    place = f"sqlite:///{tmp_path}/town.db" if kind == "sqlite" else request.getfixturevalue("new_database")("killed")
    chance = random.Random(8)
    seen: list[Said] = []
    settings = cb.Settings(store=place, engine=EngineSettings(drain=1))
    async with cb.open(town(), settings=settings) as rt, AsyncExitStack() as up:
        first = await up.enter_async_context(gateway_process(place, secret=SECRET))
        others = [up.enter_async_context(gateway_process(place, secret=SECRET)) for _ in range(KILLS)]
        gateways = [first, *await asyncio.gather(*others)]
        handle = await rt.start("slowly", [0.02] * STEPS)
        for gateway in gateways:
            leaves_at = asyncio.get_running_loop().time() + chance.uniform(0.05, 0.3)
            headers = {"Authorization": f"Bearer {first.key}"} | ({"Last-Event-ID": seen[-1].id} if seen else {})
            text, killed = "", None
            async with httpx2.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as asking:
                try:
                    async with asking.stream("GET", f"/v1/runs/{handle.id}/stream") as answer:
                        assert answer.status_code == 200, await answer.aread()
                        if gateway is not gateways[-1]:
                            killed = asyncio.ensure_future(_kill_at(gateway, leaves_at))
                        async for piece in answer.aiter_text():
                            text += piece
                except httpx2.HTTPError:
                    assert killed is not None, "the last one goes on to the end"
            seen += parsed(text)
            if killed is not None:
                await killed
        rows = [msgspec.to_builtins(event_view(event)) for event in await rt.store.journal.read("default", handle.id)]
    journal = [each for each in seen if each.name == "journal"]
    assert [each.seq for each in journal] == list(range(len(rows)))
    assert [each.data for each in journal] == rows
    assert (seen[-1].name, seen[-1].data["output"]) == ("end", STEPS)
    assert [each.name for each in seen].count("end") == 1


async def _kill_at(gateway: GatewayProcess, moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))
    await gateway.kill()


async def test_asked_to_leave_it_is_not_ready_at_once_and_finishes_what_is_open(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/town.db"
    async with gateway_process(store, "--worker", "--grace", "3", secret=SECRET) as gateway:
        headers = {"Authorization": f"Bearer {gateway.key}"}
        async with httpx2.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as asking:
            run_id = (await asking.post("/v1/runs", json={"flow": "gate", "input": "never"})).json()["id"]
            following = asyncio.ensure_future(follow(asking, f"/v1/runs/{run_id}/stream"))
            assert (await asking.get("/readyz")).json()["status"] == "ready"
            await asyncio.sleep(0.1)
            gateway.process.send_signal(signal.SIGTERM)
            for _ in range(1_000):
                if (await asking.get("/readyz")).status_code == 503:
                    break
                await asyncio.sleep(0.01)
            told = await asking.get("/readyz")
            assert (told.status_code, told.json()["status"]) == (503, "draining")
            assert (await asking.get(f"/v1/runs/{run_id}")).status_code == 200, "it still answers"
            assert (await following)[-1].name == "bye"
        assert await asyncio.wait_for(gateway.process.wait(), 60) == 0
