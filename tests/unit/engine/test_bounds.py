"""Runs are bounded: in effects, in the size of what they carry, in depth."""

from typing import Any

import msgspec
import pytest

import callboard as cb
from callboard.domain.errors import InputInvalid, Unencodable
from callboard.domain.kinds import ErrorKind
from callboard.settings import EngineSettings, Settings, from_environment
from callboard.testing import runtime
from tests.unit.engine.play import Counter, failure, requeue

QUICK = EngineSettings(sweep=0.05, beat=0.5, lease=5.0, window=1.0, drain=2.0)


def bounded(**bounds: Any) -> EngineSettings:
    return msgspec.structs.replace(QUICK, **bounds)


async def test_a_run_that_never_stops_requesting_effects_is_stopped() -> None:
    app, counter = cb.App("bounds"), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        while True:
            await ctx.step(counter.count)

    async with runtime(app, settings=bounded(effects=25)) as test:
        error = await failure(await test.start(flow))
    assert isinstance(error, cb.LimitReached)
    assert error.reason == "effects"
    assert "raise `effects`" in str(error)
    assert counter.calls <= 26


async def test_a_run_that_was_stopped_goes_on_when_the_bound_was_raised(tmp_path: Any) -> None:
    app, counter = cb.App("bounds"), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        return [await ctx.step(counter.count) for _ in range(40)][-1]

    async with runtime(app, tmp_path / "store.db", settings=bounded(effects=25)) as test:
        handle = await test.start(flow)
        await failure(handle)
    executed = counter.calls
    async with runtime(app, tmp_path / "store.db", settings=bounded(effects=100)) as test:
        handle = test.rt.handle(handle.id)
        await requeue(test, handle)
        await handle.result(timeout=30)
    assert counter.calls - executed <= 40 - 25 + 1


async def test_a_cancel_reaches_a_run_that_has_used_up_its_effects() -> None:
    app, counter = cb.App("bounds"), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        for _turn in range(9):
            await ctx.step(counter.count)
        await ctx.sleep(1_000)

    async with runtime(app, settings=bounded(effects=10)) as test:
        handle = await test.start(flow)
        await test.settle()
        assert await handle.status() is cb.RunStatus.WAITING
        await handle.cancel("enough")
        await test.settle()
        assert await handle.status() in (cb.RunStatus.CANCELLED, cb.RunStatus.FAILED)


async def test_an_input_that_is_too_large_is_refused_before_anything_is_written() -> None:
    app = cb.App("bounds")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None: ...

    async with runtime(app, settings=bounded(payload=1_000)) as test:
        with pytest.raises(Unencodable, match=r"the input of flow has 1,002 bytes, the limit is 1,000"):
            await test.start(flow, "x" * 1_000)
        assert await test.rt.store.runs.find("default") == []


async def test_a_result_that_is_too_large_fails_its_step() -> None:
    app = cb.App("bounds")

    def large() -> str:
        return "x" * 1_000

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(large)

    async with runtime(app, settings=bounded(payload=1_000)) as test:
        error = await failure(await test.start(flow))
    assert (type(error), error.kind) == (cb.StepFailed, ErrorKind.MALFORMED_RESULT)
    assert "1,002 bytes" in str(error)


async def test_an_output_that_is_too_large_fails_its_run() -> None:
    app = cb.App("bounds")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        return "x" * 1_000

    async with runtime(app, settings=bounded(payload=1_000)) as test:
        assert "the output of flow has 1,002 bytes" in str(await failure(await test.start(flow)))


async def test_a_signal_and_a_decision_that_are_too_large_are_refused() -> None:
    app = cb.App("bounds")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return (await ctx.ask({})).status

    async with runtime(app, settings=bounded(payload=1_000)) as test:
        handle = await test.start(flow)
        await test.settle()
        with pytest.raises(Unencodable, match="the signal word has"):
            await handle.signal("word", "x" * 1_000)
        question = (await test.rt.store.approvals.find("default"))[0]
        with pytest.raises(Unencodable, match="the decision has"):
            await test.rt.commands.decide("default", question.id, "edited", value="x" * 1_000, by="anna")
        await test.rt.commands.decide("default", question.id, "rejected", by="anna")
        assert await handle.result(timeout=30) == "rejected"


async def test_a_worker_executes_no_more_runs_at_a_time_than_it_may() -> None:
    app, busy, most = cb.App("bounds"), [0], [0]

    async def work() -> None:
        import asyncio

        busy[0] += 1
        most[0] = max(most[0], busy[0])
        await asyncio.sleep(0.01)
        busy[0] -= 1

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        await ctx.step(work)

    async with runtime(app, settings=bounded(concurrency=3)) as test:
        handles = [await test.start(flow) for _ in range(12)]
        for handle in handles:
            await handle.result(timeout=30)
    assert most == [3]


@pytest.mark.parametrize("name", ["concurrency", "sweep", "beat", "lease", "window", "payload", "depth", "effects"])
def test_a_bound_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(InputInvalid, match=name):
        bounded(**{name: 0})


def test_the_window_must_be_shorter_than_the_lease() -> None:
    with pytest.raises(InputInvalid, match="not shorter than lease"):
        EngineSettings(window=10.0, lease=10.0)


def test_what_a_worker_is_can_be_set_from_the_environment() -> None:
    names = {"DISPATCH": "redis://host/0", "LABELS": " gpu, eu,", "LISTEN": ":8081", "MAX_READY_AGE": "60"}
    settings = from_environment({f"CALLBOARD_{name}": value for name, value in names.items()})
    assert (settings.dispatch, settings.labels, settings.listen) == ("redis://host/0", ("gpu", "eu"), ":8081")
    assert settings.engine.max_ready_age == 60.0
    assert from_environment({}).labels == ()


@pytest.mark.parametrize(
    ("url", "file", "place"),
    [
        ("sqlite://", None, "sqlite://"),
        ("sqlite:///:memory:", None, "sqlite:///:memory:"),
        ("sqlite:////data/a@b.db", "/data/a@b.db", "sqlite:////data/a@b.db"),
        ("postgresql://me:secret@host:5432/db?password=secret", None, "postgresql://me@host:5432/db"),
        ("postgresql://host/db?password=secret", None, "postgresql://host/db"),
    ],
)
def test_a_store_is_shown_without_its_password(url: str, file: str | None, place: str) -> None:
    settings = Settings(store=url)
    assert (settings.file, settings.place) == (file, place)


@pytest.mark.parametrize("name", ["max_ready", "max_ready_tenant", "max_ready_age"])
def test_a_queue_has_room_for_somebody(name: str) -> None:
    with pytest.raises(InputInvalid, match=f"{name}=0"):
        EngineSettings(**{name: 0})


def test_bounds_can_be_set_from_the_environment_and_a_wrong_one_is_named() -> None:
    settings = from_environment({"CALLBOARD_EFFECTS": "7", "CALLBOARD_LEASE": "20.5", "CALLBOARD_TENANT": "acme"})
    assert (settings.engine.effects, settings.engine.lease, settings.tenant) == (7, 20.5, "acme")
    with pytest.raises(InputInvalid, match="CALLBOARD_EFFECTS='many'"):
        from_environment({"CALLBOARD_EFFECTS": "many"})
