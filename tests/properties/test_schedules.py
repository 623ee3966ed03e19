"""Schedulers that die and overtake each other anywhere: every due time has its run, and only one."""

import asyncio
import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import callboard as cb
from callboard.engine.cron import Cron, text
from callboard.engine.schedules import Scheduler
from callboard.engine.services import Services
from callboard.runtime import build
from callboard.testing import WindingClock

CRON = Cron("*/10 * * * *", "Europe/Berlin")
BEGIN = 1_837_900_000.0  # two days before clocks are put forward, in March 2028


class Gate:
    """Stops whoever comes until it is let through."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.passes = asyncio.Semaphore(0)
        self.open = False

    async def __call__(self) -> None:
        if not self.open:
            self.arrived.set()
            await self.passes.acquire()


class Gated:
    """An object whose methods stop at a gate before and after they do something."""

    def __init__(self, real: Any, gate: Gate, **parts: Any) -> None:
        self._real, self._gate = real, gate
        self.__dict__.update(parts)

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **named: Any) -> Any:
            await self._gate()
            result = await getattr(self._real, name)(*args, **named)
            await self._gate()
            return result

        return call


class Actor:
    """A worker's scheduler that moves only when it is told to."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._task: asyncio.Task[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._gate = Gate()
        real = self._services.store
        store: Any = Gated(
            real, self._gate, schedules=Gated(real.schedules, self._gate), runs=Gated(real.runs, self._gate)
        )
        self._scheduler = Scheduler(dataclasses.replace(self._services, store=store))

    async def step(self, now: float) -> None:
        """On to the next stop."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._scheduler.sweep(now))
        else:
            self._gate.arrived.clear()
            self._gate.passes.release()
        arrived = asyncio.create_task(self._gate.arrived.wait())
        await asyncio.wait([self._task, arrived], return_when=asyncio.FIRST_COMPLETED)
        arrived.cancel()
        if self._task.done():
            await self._task

    async def die(self) -> None:
        """Another one takes its place, which knows nothing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._task = None
        self._begin()


ACTIONS = st.one_of(
    st.tuples(st.just("step"), st.integers(0, 1)),
    st.tuples(st.just("step"), st.integers(0, 1)),
    st.tuples(st.just("die"), st.integers(0, 1)),
    st.tuples(st.just("wind"), st.integers(1, 7_200)),
    st.tuples(st.just("pause"), st.booleans()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, min_size=10, max_size=80))
def test_no_due_time_is_lost_or_doubled(actions: list[tuple[str, int]]) -> None:
    asyncio.run(play(actions))


async def play(actions: list[tuple[str, int]]) -> None:
    app, clock = cb.App("property"), WindingClock(BEGIN)

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None: ...

    rt = build(app, cb.Settings(store="sqlite://"), worker=False, clock=clock)
    await rt.open()
    try:
        await rt.schedules.put("s", flow, CRON.expression, zone=CRON.zone, overlap="allow", catch_up="all")
        actors = [Actor(rt.services), Actor(rt.services)]
        for action, how in actions:
            match action:
                case "step":
                    await actors[how].step(clock.now())
                case "die":
                    await actors[how].die()
                case "wind":
                    clock.set(clock.now() + how)
                case _:
                    await (rt.schedules.pause if how else rt.schedules.resume)("s")
        for actor in actors:
            await actor.die()
        await rt.schedules.resume("s")
        last = Scheduler(rt.services)
        await last.sweep(clock.now())
        while last.next_due is not None and last.next_due <= clock.now():
            await last.sweep(clock.now())
        expected, moment = [], BEGIN
        while (moment := CRON.after(moment)) <= clock.now():
            expected.append(text(moment))
        runs = await rt.store.runs.find("default", limit=100_000)
        assert sorted(run.labels["due"] for run in runs) == expected
        assert (await rt.schedules.get("s")).next_at == moment
    finally:
        await rt.close()
