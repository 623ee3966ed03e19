"""What changes the world is announced in the journal first, under the key that the tool is given."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import callboard as cb
from callboard.domain.event import Event, EventKind
from callboard.domain.run import RunStatus
from callboard.settings import EngineSettings
from callboard.store.approvals import ApprovalStatus
from callboard.testing import TestRuntime, runtime
from tests.crash.holding import hold_intents
from tests.replay.journal_file import KeptRun
from tests.replay.resuming import resumed, state_of
from tests.unit.engine.play import LateClock

app = cb.App("announced")
STALLED = EngineSettings(sweep=0.02, beat=30.0, lease=60.0, window=30.0, drain=1.0)
SEEN: list[tuple[str, str, list[Event]]] = []
BEGUN = asyncio.Event()


class Look:
    """Lets tools read the journal of the run that calls them, as it is committed."""

    test: TestRuntime


async def see(name: str, key: str) -> str:
    (run,) = await Look.test.rt.store.runs.find("default")
    SEEN.append((name, key, await Look.test.rt.store.journal.read(run.tenant, run.id)))
    return name


@app.tool(effect="read")
async def look(n: int, *, key: cb.IdempotencyKey) -> str:
    """Reads."""
    return await see("look", key)


@app.tool(effect="idempotent")
async def charge(n: int, *, key: cb.IdempotencyKey) -> str:
    """Charges."""
    return await see("charge", key)


@app.tool(effect="once")
async def publish(n: int, *, key: cb.IdempotencyKey) -> str:
    """Publishes."""
    return await see("publish", key)


@app.tool(effect="once", reconcile=lambda key: cb.Applied("send"))
async def send(n: int, *, key: cb.IdempotencyKey) -> str:
    """Sends."""
    return await see("send", key)


@app.tool(effect="once")
async def dawdle(n: int, *, key: cb.IdempotencyKey) -> str:
    """Takes its time."""
    await see("begun", key)
    BEGUN.set()
    await asyncio.sleep(0.1)  # longer than it takes to notice who won
    return await see("ended", key)


async def wait_a_moment() -> None:
    await BEGUN.wait()


TOOLS = {"send": send, "look": look, "charge": charge, "publish": publish}


@app.flow
async def calls(ctx: cb.Context, names: list[str]) -> Any:
    return [await TOOLS[name].call(ctx, n=1) for name in names]


@app.flow
async def calls_or_quick(ctx: cb.Context, _: None) -> Any:
    return (await ctx.race(ctx.step(wait_a_moment), dawdle.call(ctx, n=1)))[0]


@app.flow
async def other_arguments(ctx: cb.Context, names: list[str]) -> Any:
    return [await TOOLS[name].call(ctx, n=2) for name in names]


@pytest.fixture
async def test() -> AsyncIterator[TestRuntime]:
    SEEN.clear()
    BEGUN.clear()
    async with runtime(app) as made:
        Look.test = made
        yield made


@pytest.mark.parametrize("name", ["charge", "publish"])
async def test_a_call_is_on_record_with_its_key_before_it_is_made(test: TestRuntime, name: str) -> None:
    await test.run(calls, [name])
    ((_, key, journal),) = SEEN
    assert (journal[-1].kind, journal[-1].path) == (EventKind.INTENT, f"0:{name}")
    assert journal[-1].value()["key"] == key


async def test_a_read_is_not_announced(test: TestRuntime) -> None:
    await test.run(calls, ["look"])
    ((_, _, journal),) = SEEN
    assert [event.kind for event in journal] == [EventKind.STARTED]


async def test_each_call_of_each_run_has_a_key_of_its_own(test: TestRuntime) -> None:
    await test.run(calls, ["charge", "charge", "publish"])
    keys = [key for _, key, _ in SEEN]
    SEEN.clear()
    async with runtime(app) as another:
        Look.test = another
        await another.run(calls, ["charge", "charge", "publish"])
    keys += [key for _, key, _ in SEEN]
    assert len(set(keys)) == 6


@pytest.mark.parametrize("name", ["charge", "publish"])
async def test_an_open_call_is_not_made_with_other_arguments(test: TestRuntime, name: str) -> None:
    handle = await test.start(calls, [name])
    await handle.result()
    events = await test.rt.store.journal.read("default", handle.id)
    changed = KeptRun(id=handle.id, flow="other_arguments", version="1", status="")
    SEEN.clear()
    async with resumed(app, changed, events[:2]) as again:
        await again.settle()
        end = await state_of(again, handle.id)
    assert end.status is RunStatus.BLOCKED
    assert SEEN == []


async def test_a_once_call_that_comes_too_late_after_its_intent_needs_another(monkeypatch: pytest.MonkeyPatch) -> None:
    SEEN.clear()
    clock = LateClock()
    async with runtime(app, settings=STALLED, clock=clock) as test:
        Look.test = test
        hold_intents(test, monkeypatch, "publish", lambda: clock.pass_by(31.0), times=1)
        await test.run(calls, ["publish"])
    ((_, _, journal),) = SEEN
    assert [event.kind for event in journal] == [EventKind.STARTED, EventKind.INTENT, EventKind.INTENT]


async def test_a_stalled_worker_does_not_make_a_once_call_after_its_run_was_taken_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    SEEN.clear()
    clock, taken = LateClock(), asyncio.Event()
    async with runtime(app, settings=STALLED, clock=clock) as test:
        Look.test = test
        hold_intents(test, monkeypatch, "publish", taken.wait, times=1)
        handle = await test.start(calls, ["publish"])
        while len(await test.rt.store.journal.read("default", handle.id)) < 2:
            await asyncio.sleep(0.001)
        await take_over(test)
        clock.late += 31
        taken.set()
        while not (found := await test.rt.store.approvals.find("default", status=ApprovalStatus.OPEN)):
            await asyncio.sleep(0.01)
        (asked,) = found
    assert asked.kind == "settle"
    assert SEEN == []


async def test_an_open_once_call_settles_before_its_run_is_cancelled(test: TestRuntime) -> None:
    handle = await test.start(calls, ["send", "look"])
    await handle.result()
    events = await test.rt.store.journal.read("default", handle.id)
    SEEN.clear()
    kept = KeptRun(id=handle.id, flow="calls", version="1", status="")
    async with resumed(app, kept, events[:2], cancel=True) as again:
        await again.wind(60)  # a reconciliation waits until nobody can be about to call any more
        end = await state_of(again, handle.id)
    assert end.status is RunStatus.CANCELLED
    assert [(e.kind, e.path) for e in end.events[2:4]] == [(EventKind.DONE, "0:send"), (EventKind.CANCELLED, "1:look")]
    assert SEEN == []


async def test_a_once_call_in_flight_settles_when_its_branch_has_lost(test: TestRuntime) -> None:
    handle = await test.start(calls_or_quick, None)
    assert await handle.result(timeout=30) == 0
    assert [name for name, *_ in SEEN] == ["begun", "ended"]
    journal = await test.rt.store.journal.read("default", handle.id)
    assert [(e.kind, e.path) for e in journal[-3:-1]] == [(EventKind.DONE, "0.1/0:dawdle"), (EventKind.DONE, "0:race")]


async def take_over(test: TestRuntime) -> None:
    """Another worker finds this one dead, which it is not."""
    worker, claims = test.rt.worker, test.rt.store.claims
    assert worker is not None
    lose: Any = claims.lose  # type: ignore[attr-defined]
    lose(worker.id)
    await claims.register("another", test.clock.now())
    taken = await claims.take_over("another", 60.0, 3, test.clock.now())
    assert len(taken.ready) == 1
