"""Runs outlive their workers; those that keep killing them are given up, and drains never count as deaths."""

import asyncio
from typing import Any

import msgspec
import pytest

import callboard as cb
from callboard.domain.errors import ChildFailed
from callboard.engine import worker as workers
from callboard.settings import EngineSettings
from callboard.testing import TestRuntime, WindingClock, runtime
from tests.unit.engine.play import Counter, Gate, die_and_return, events, failure, requeue, story, until

QUICK = EngineSettings(sweep=0.02, beat=0.5, lease=5.0, window=1.0, drain=0.05, max_deaths=3)


def stopping(gate: Gate) -> cb.App:
    """An app whose flow stops in a step at the gate."""
    app = cb.App("deaths")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(gate.enter)

    @app.flow
    async def parent(ctx: cb.Context, _: Any) -> Any:
        try:
            return await ctx.spawn(flow, None)
        except ChildFailed as failed:
            return failed.detail["status"]

    @app.flow
    async def other(ctx: cb.Context, _: Any) -> str:
        return "fine"

    return app


async def die_in(test: TestRuntime, gate: Gate, handle: cb.RunHandle) -> cb.RunHandle:
    """Kills the worker while it is at the gate."""
    await asyncio.wait_for(gate.reached.wait(), 30)
    gate.reached.clear()
    return await die_and_return(test, handle)


async def test_a_run_on_which_so_many_workers_died_is_given_up_with_the_reason() -> None:
    gate = Gate()
    async with runtime(stopping(gate), settings=QUICK) as test:
        handle = await test.start("flow")
        for deaths in (1, 2, 3):
            handle = await die_in(test, gate, handle)
            while (await handle.run()).deaths < deaths:
                await asyncio.sleep(0.005)
        with pytest.raises(cb.RunFailed, match="3 workers in a row died") as caught:
            await handle.result(timeout=30)
        assert caught.value.status == "dead"
        assert handle.id in str(caught.value)
        assert await story(test, handle) == ["started", "run dead"]
        gate.opened.set()
        assert await test.run("other") == "fine"


async def test_a_dead_run_can_be_requeued_and_goes_on() -> None:
    gate = Gate()
    async with runtime(stopping(gate), settings=QUICK) as test:
        handle = await test.start("flow")
        for _ in range(3):
            handle = await die_in(test, gate, handle)
        await failure(handle)
        gate.opened.set()
        assert (await requeue(test, handle)).deaths == 0
        assert await handle.result(timeout=30) == "through"


async def test_a_parent_is_told_that_its_child_was_given_up() -> None:
    gate = Gate()
    async with runtime(stopping(gate), settings=QUICK) as test:
        handle = await test.start("parent")
        for _ in range(3):
            handle = await die_in(test, gate, handle)
        assert await handle.result(timeout=30) == "dead"


async def test_a_run_that_gets_something_done_before_each_death_is_not_given_up() -> None:
    app, gates = cb.App("deaths"), [Gate(n) for n in range(6)]

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return [await ctx.step(gate.enter) for gate in gates]

    async with runtime(app, settings=QUICK) as test:
        handle = await test.start(flow)
        for gate in gates:
            handle = await die_in(test, gate, handle)
            gate.opened.set()
        assert await handle.result(timeout=30) == list(range(6))


@pytest.mark.parametrize("effect", ["idempotent", "model"])
async def test_an_intent_alone_is_no_progress(effect: str) -> None:
    """Each attempt at a model call reserves its usage anew: that must not make a killer look industrious."""
    app, gate = cb.App("deaths"), Gate()

    @app.tool(effect="idempotent")
    async def book() -> Any:
        return await gate.enter()

    async def speak(request: Any) -> Any:
        return await gate.enter()

    agent = app.agent("agent", model=cb.ScriptedModel(speak))

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await (book.call(ctx) if effect == "idempotent" else agent.run(ctx, "hello"))

    async with runtime(app, settings=QUICK) as test:
        handle = await test.start(flow)
        for _ in range(5):
            while not gate.reached.is_set() and not (await handle.status()).ended:
                await asyncio.sleep(0.005)
            if not gate.reached.is_set():
                break
            handle = await die_in(test, gate, handle)
        assert await handle.status() is cb.RunStatus.DEAD


async def test_a_drain_is_no_death(tmp_path: Any) -> None:
    gate = Gate()
    app, clock = stopping(gate), WindingClock()
    async with runtime(app, tmp_path / "store.db", settings=QUICK, clock=clock) as test:
        handle = await test.start("flow")
        await gate.reached.wait()
    for _ in range(QUICK.max_deaths + 1):
        gate.reached.clear()
        async with runtime(app, tmp_path / "store.db", settings=QUICK, clock=clock) as test:
            run = await test.rt.handle(handle.id).run()
            assert (run.deaths, run.status.ended) == (0, False)
            await asyncio.wait_for(gate.reached.wait(), 30)
    gate.opened.set()
    async with runtime(app, tmp_path / "store.db", settings=QUICK, clock=clock) as test:
        assert await test.rt.handle(handle.id).result(timeout=30) == "through"


async def test_a_drain_lets_what_is_in_flight_finish_and_begins_nothing_new(tmp_path: Any) -> None:
    app, gate, counter = cb.App("deaths"), Gate(), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return [await ctx.step(gate.enter), await ctx.step(counter.count)]

    settings = msgspec.structs.replace(QUICK, drain=5.0)
    async with runtime(app, tmp_path / "store.db", settings=settings) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        asyncio.get_running_loop().call_later(0.1, gate.opened.set)
    assert (gate.entered, counter.calls) == (1, 0)
    async with runtime(app, tmp_path / "store.db", settings=settings) as test:
        assert await test.rt.handle(handle.id).result(timeout=30) == ["through", 1]
    assert gate.entered == 1


async def test_a_suspect_runs_alone() -> None:
    app, gate, busy, beside = cb.App("deaths"), Gate(), Gate(), list[int]()

    @app.flow
    async def suspect(ctx: cb.Context, _: Any) -> Any:
        assert test.rt.worker is not None
        beside.append(test.rt.worker.active - 1)
        return await ctx.step(gate.enter)

    @app.flow
    async def other(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(busy.enter)

    async with runtime(app, settings=QUICK) as test:
        others = [await test.start(other) for _ in range(3)]
        await busy.reached.wait()
        handle = await test.start(suspect)
        handle = await die_in(test, gate, handle)
        busy.opened.set()
        await gate.reached.wait()
        late = await test.start(other)
        await asyncio.sleep(0.1)
        assert not (await late.status()).ended  # it has to wait for the suspect
        gate.opened.set()
        assert await handle.result(timeout=30) == "through"
        for each in (*others, late):
            assert await test.rt.handle(each.id).result(timeout=30) == "through"
    assert beside == [3, 0]


async def test_a_suspect_that_this_worker_cannot_execute_holds_nothing_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(workers, "_PATIENCE", 0.1)
    gate, long, clock = Gate(), Gate(), WindingClock()
    newer = cb.App("deaths")

    @newer.flow(version="2")
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.step(long.enter)

    @newer.flow(version="2")
    async def other(ctx: cb.Context, _: Any) -> str:
        return "fine"

    async with runtime(stopping(gate), tmp_path / "store.db", settings=QUICK, clock=clock) as test:
        suspect = await die_in(test, gate, await test.start("flow"))
        await gate.reached.wait()
    async with runtime(newer, tmp_path / "store.db", settings=QUICK, clock=clock) as test:
        assert (await test.rt.handle(suspect.id).run()).deaths == 1
        await test.start("flow")
        await long.reached.wait()
        await asyncio.sleep(0.5)  # longer than a suspect is waited for; others would be held back until `long` ends
        assert await (await test.start("other")).result(timeout=30) == "fine"
        long.opened.set()


async def test_what_a_dead_worker_still_had_in_flight_is_refused(tmp_path: Any) -> None:
    """The zombie is alive and well, only its heartbeats did not come through."""
    clock, path = WindingClock(), tmp_path / "store.db"
    executed: list[str] = []

    def app_of(name: str, gate: Gate) -> cb.App:
        app = cb.App("deaths")

        @app.flow
        async def flow(ctx: cb.Context, _: Any) -> Any:
            value = await ctx.step(gate.enter, name="work")
            executed.append(name)
            return [value, await ctx.step(gate.enter, name="more")]

        return app

    slow, quick = Gate("zombie"), Gate("heir")
    quick.opened.set()
    zombie_settings = msgspec.structs.replace(QUICK, beat=60.0, sweep=60.0)
    heir_settings = msgspec.structs.replace(QUICK, lease=0.3, window=0.1, beat=0.05)
    async with runtime(app_of("zombie", slow), path, settings=zombie_settings, clock=clock) as zombie:
        handle = await zombie.start("flow")
        await slow.reached.wait()
        async with runtime(app_of("heir", quick), path, settings=heir_settings, clock=clock) as heir:
            assert await heir.rt.handle(handle.id).result(timeout=30) == ["heir", "heir"]
            before = await events(heir, handle)
            slow.opened.set()
            assert zombie.rt.worker is not None
            await until(lambda: zombie.rt.worker.active == 0)  # type: ignore[union-attr]
            assert await events(heir, handle) == before
    assert executed == ["heir"]
