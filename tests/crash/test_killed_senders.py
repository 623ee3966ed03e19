"""Who asks for something may be gone the moment it is committed: nothing of what was asked for is lost with it."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from callboard.access.courier import Courier
from callboard.domain.run import RunStatus
from callboard.runtime import Runtime
from callboard.runtime import open as open_runtime
from callboard.store.sessions import TurnStatus
from tests.crash.killed_sender import URL, settings, town

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/town.db"
    return str(request.getfixturevalue("new_database")("killed senders"))


async def killed(store: str, *what: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.killed_sender", store, *what, cwd=ROOT
    )
    assert await process.wait() == -signal.SIGKILL


async def test_what_was_asked_for_outlives_who_asked(store: str) -> None:
    told: list[str] = []

    async def post(url: str, address: str, headers: dict[str, str], body: bytes) -> int:
        told.append(headers["webhook-id"])
        return 204

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14"]

    async with open_runtime(town(), settings=settings(store)) as rt:
        await rt.courier.close()
        rt.courier = Courier(rt.services, rt.access.secret, (), post=post, resolve=resolve)
        rt.courier.open()
        running = {name: await _waiting(rt, name) for name in ("interrupt", "replace")}
        await asyncio.gather(killed(store, "start", "K"), *[killed(store, name, name) for name in running])
        desk = rt.desk(rt.access.local("me"))
        again = await desk.runs.start("gate", "now", key="K")
        assert not again.created
        assert await again.result(20) == "heard now"
        for name, first in running.items():
            assert (await rt.handle(first).outcome(20)).status is RunStatus.CANCELLED
            turns = await rt.sessions.turns("default", name)
            assert [turn.after for turn in turns] == [None, first if name == "interrupt" else None]
            assert await rt.handle(turns[1].id).result(20) == "heard at once"
            assert turns[0].status is (TurnStatus.STARTED if name == "interrupt" else TurnStatus.DROPPED)
        async with asyncio.timeout(20):
            while not told:
                await asyncio.sleep(0.02)
        await desk.runs.start("gate", "now", key="K", webhook=URL)
        await asyncio.sleep(0.3)
        [delivery] = await desk.runs.deliveries(again.id)
        assert told == [delivery.id]


async def _waiting(rt: Runtime, name: str) -> str:
    """A conversation whose first turn waits; the id of that."""
    flow = rt.services.find("gate")
    assert flow is not None
    await rt.sessions.create("default", flow, session_id=name)
    turn = await rt.sessions.send("default", name, "wait")
    async with asyncio.timeout(20):
        while (await rt.store.runs.get("default", turn.id)).status is not RunStatus.WAITING:
            await asyncio.sleep(0.02)
    return turn.id
