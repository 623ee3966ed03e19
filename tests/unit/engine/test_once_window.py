"""A `once` call starts within a window after its intent was committed, or a new intent must be committed first."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import apsw

import callboard as cb
from callboard.domain.event import EventKind
from callboard.settings import EngineSettings
from callboard.testing import runtime
from tests.unit.engine.play import LateClock, kinds, until

SETTINGS = EngineSettings(sweep=0.05, beat=0.1, lease=60.0, window=30.0, drain=0.2)
BRIEF = EngineSettings(sweep=0.05, beat=0.1, lease=0.6, window=0.2, drain=0.2)


class Stall:
    """A fault hook that stops the store's thread right after the first intent was committed, until it is let go."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.stalled = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, point: str) -> None:
        if point == "after_commit" and not self.stalled.is_set() and self._intended():
            self.stalled.set()
            self.go_on.wait(60)

    def _intended(self) -> bool:
        db = apsw.Connection(str(self._path))
        try:
            return bool(db.execute("SELECT 1 FROM events WHERE kind = ?", (int(EventKind.INTENT),)).fetchall())
        finally:
            db.close()


def charging(calls: list[str]) -> cb.App:
    app = cb.App("window")

    async def reconcile(key: str) -> Any:
        return cb.Applied("charged") if calls else cb.NotApplied()

    @app.tool(timeout=0.1, reconcile=reconcile)
    async def charge(*, key: cb.IdempotencyKey) -> str:
        calls.append(key)
        return "charged"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await charge.call(ctx)

    return app


async def stalled(stall: Stall) -> None:
    assert await asyncio.to_thread(stall.stalled.wait, 30)


async def test_a_call_that_can_start_in_time_has_one_intent(tmp_path: Path) -> None:
    path, calls = tmp_path / "store.db", list[str]()
    stall = Stall(path)
    async with runtime(charging(calls), path, settings=SETTINGS, fault=stall) as test:
        handle = await test.start("flow")
        await stalled(stall)
        stall.go_on.set()
        assert await handle.result(timeout=30) == "charged"
        assert await kinds(test, handle, "0:charge") == [EventKind.INTENT, EventKind.DONE]
    assert len(calls) == 1


async def test_a_worker_that_was_stalled_past_the_window_commits_a_new_intent_first(tmp_path: Path) -> None:
    path, calls, clock = tmp_path / "store.db", list[str](), LateClock()
    stall = Stall(path)
    async with runtime(charging(calls), path, settings=SETTINGS, fault=stall, clock=clock) as test:
        handle = await test.start("flow")
        await stalled(stall)
        clock.late += 31
        assert calls == []
        stall.go_on.set()
        assert await handle.result(timeout=30) == "charged"
        assert await kinds(test, handle, "0:charge") == [EventKind.INTENT, EventKind.INTENT, EventKind.DONE]
    assert len(calls) == 1


async def test_a_stalled_worker_that_has_lost_the_run_meanwhile_never_calls(tmp_path: Path) -> None:
    clock, path = LateClock(), tmp_path / "store.db"
    stall, calls, others = Stall(path), list[str](), list[str]()
    async with runtime(charging(calls), path, settings=BRIEF, fault=stall, clock=clock) as zombie:
        handle = await zombie.start("flow")
        await stalled(stall)
        async with runtime(charging(others), path, settings=BRIEF, clock=clock) as heir:
            while (await heir.rt.handle(handle.id).run()).epoch < 3:
                await asyncio.sleep(0.02)  # its heartbeats stand still: after the lease it has lost the run
            clock.late += 31
            stall.go_on.set()
            assert zombie.rt.worker is not None
            await until(lambda: zombie.rt.worker.active == 0)  # type: ignore[union-attr]
            assert calls == []
            await heir.wind(1)
            assert await heir.rt.handle(handle.id).result(timeout=30) == "charged"
    assert len(calls + others) == 1  # whoever of the two, both alive again, claimed it when its time had come
