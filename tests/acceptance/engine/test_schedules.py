"""Runs that are started again and again: once each, whatever dies, waits or is missed."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import callboard as cb
from callboard.domain.run import Run
from callboard.engine.schedules import Scheduler
from callboard.settings import EngineSettings
from callboard.testing import TestRuntime, WindingClock, runtime

HOUR = 3_600.0
DAY = 24 * HOUR
NINE = datetime(2027, 3, 1, 9, tzinfo=UTC).timestamp()  # a Monday


def at(hours: float) -> str:
    """The moment so many hours after nine, as the runs' labels have it."""
    return datetime.fromtimestamp(NINE + hours * HOUR, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(hours: float = -0.5) -> WindingClock:
    """Half an hour before nine, or as many hours after nine."""
    return WindingClock(NINE + hours * HOUR)


def working(**options: Any) -> cb.App:
    """An app that does so many hours of work at every full hour."""
    app = cb.App("factory")

    @app.flow
    async def work(ctx: cb.Context, hours: float) -> float:
        await ctx.sleep(hours * HOUR)
        return hours

    app.schedule("0 * * * *", work, **options)
    return app


async def started(test: TestRuntime, **filters: Any) -> list[Run]:
    """All runs, oldest first."""
    return (await test.rt.store.runs.find("default", limit=10_000, **filters))[::-1]


async def dues(test: TestRuntime, **filters: Any) -> list[str]:
    return [run.labels["due"] for run in await started(test, **filters)]


async def down(test: TestRuntime, hours: float) -> None:
    """No worker runs for so long."""
    await test.kill()
    test.clock.set(test.clock.now() + hours * HOUR)
    await test.restart()
    await test.settle()


async def test_a_weekday_report_for_a_year() -> None:
    app = cb.App("reports")

    @app.schedule("0 9 * * 1-5", name="daily-report", input={"for": "all"}, zone="Europe/Berlin")
    @app.flow
    async def report(ctx: cb.Context, who: dict[str, str]) -> str:
        return who["for"]

    async with runtime(app, clock=clock()) as test:
        await test.wind(days=365)
        runs = await started(test, flow="report")
        assert len(runs) == 261
        assert {run.status for run in runs} == {"succeeded"}
        assert {run.labels["schedule"] for run in runs} == {"daily-report"}
        assert {run.by for run in runs} == {"schedule:daily-report"}
        hours = {run.labels["due"][11:] for run in runs}
        assert hours == {"08:00:00Z", "07:00:00Z"}  # nine o'clock in winter and in summer
        assert runs[0].key == f"schedule/daily-report/{runs[0].labels['due']}"
        assert await test.rt.handle(runs[0].id).result() == "all"


async def test_ten_years_pass_and_none_is_lost_or_doubled_by_three_schedulers() -> None:
    app = working(input=0.0, overlap="allow")
    time = clock()
    async with runtime(app, clock=time) as test:
        await test.kill()
        await test.rt.schedules.put("work", "work", "30 6 * * *", input=0.0, overlap="allow")
        schedulers = [Scheduler(test.rt.services) for _ in range(3)]
        for day in range(3_652):
            time.set(NINE + day * DAY)
            await asyncio.gather(*[each.sweep(time.now()) for each in schedulers])
        found = await dues(test)
        assert len(found) == len(set(found)) == 3_651


async def test_an_app_that_opens_again_leaves_what_is_there() -> None:
    app = working(input=0.0)
    async with runtime(app, clock=clock()) as test:
        await test.wind(hours=1)
        await test.rt.schedules.pause("work")
        before = await test.rt.schedules.get("work")
        await down(test, 5)
        assert await test.rt.schedules.get("work") == before
        assert before.paused
        assert before.last_at == NINE
        await test.rt.schedules.put("work", "work", "15 * * * *", input=0.0)
        changed = await test.rt.schedules.get("work")
        assert changed.next_at == NINE + 6.25 * HOUR
        assert (changed.paused, changed.last_run) == (True, before.last_run)


async def test_a_start_that_was_not_recorded_is_found_again() -> None:
    app = working(input=0.0, overlap="allow", catch_up="all")
    async with runtime(app, clock=clock()) as test:
        advance = type(test.rt.store.schedules).advance
        lost = []

        async def lose(self: Any, *given: Any) -> bool:
            lost.append(given)
            raise cb.CallboardError("the process has died")

        type(test.rt.store.schedules).advance = lose  # type: ignore[method-assign, assignment]
        try:
            await test.kill()
            test.clock.set(NINE)
            dying = Scheduler(test.rt.services)
            await dying.sweep(NINE)
        finally:
            type(test.rt.store.schedules).advance = advance  # type: ignore[method-assign]
        assert len(lost) == 1
        assert await dues(test) == [at(0)]
        await down(test, 1.5)
        assert await dues(test) == [at(0), at(1)]
        assert (await test.rt.schedules.get("work")).next_at == NINE + 2 * HOUR


async def test_skip_leaves_out_what_is_due_while_a_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with runtime(working(input=2.5), clock=clock()) as test:
        await test.wind(hours=8)
        assert await dues(test) == [at(0), at(3), at(6)]
        assert "left out from 2027-03-01T10:00:00Z to before 2027-03-01T11:00:00Z: the run before" in caplog.text


async def test_queue_lets_one_wait() -> None:
    async with runtime(working(input=2.5, overlap="queue"), clock=clock()) as test:
        await test.wind(hours=8)
        runs = await started(test)
        assert [run.labels["due"] for run in runs] == [at(0), at(1), at(3), at(5)]
        begun = [(run.created_at - NINE) / HOUR for run in runs]
        assert begun == [0, 2.5, 5, 7.5]


async def test_replace_cancels_and_starts_when_that_has_ended() -> None:
    async with runtime(working(input=2.5, overlap="replace"), clock=clock()) as test:
        await test.wind(hours=3)
        runs = await started(test)
        assert [run.labels["due"] for run in runs] == [at(0), at(1), at(2)]
        assert [run.status for run in runs] == ["cancelled", "cancelled", "waiting"]
        assert runs[0].error is not None
        assert "schedule work" in runs[0].error.message


async def test_allow_starts_beside() -> None:
    async with runtime(working(input=2.5, overlap="allow"), clock=clock()) as test:
        await test.wind(hours=2.6)
        assert [run.status for run in await started(test)] == ["waiting"] * 3


@pytest.mark.parametrize(("catch_up", "hours"), [("none", [0, 6]), ("last", [0, 5, 6]), ("all", [0, 1, 2, 3, 4, 5, 6])])
@pytest.mark.parametrize("overlap", ["allow", "skip", "queue", "replace"])
@pytest.mark.parametrize("how", ["down", "paused"])
async def test_missed_starts(catch_up: str, hours: list[int], overlap: str, how: str) -> None:
    app = working(input=0.05, catch_up=catch_up, overlap=overlap)
    async with runtime(app, clock=clock()) as test:
        await test.wind(hours=1)  # half past nine
        if how == "down":
            await down(test, 5)  # half past two
        else:
            await test.rt.schedules.pause("work")
            await test.wind(hours=5)
            assert await dues(test) == [at(0)]
            await test.rt.schedules.resume("work")
        await test.wind(hours=1.3)
        runs = await started(test)
        assert [run.labels["due"] for run in runs] == [at(each) for each in hours]
        assert {run.status for run in runs} == {"succeeded"}


async def test_no_more_than_a_thousand_are_made_up_for() -> None:
    app = working(input=0.0, catch_up="all", overlap="allow")
    async with runtime(app, clock=clock()) as test:
        await down(test, 1_200)
        found = await dues(test)
        assert found == [at(hour) for hour in range(200, 1_200)]


async def test_a_start_that_comes_a_little_late_was_not_missed() -> None:
    async with runtime(working(input=0.0, catch_up="none"), clock=clock()) as test:
        await down(test, 0.5 + 50 / HOUR)
        assert await dues(test) == [at(0)]
        await down(test, 1 + 50 / HOUR)
        assert await dues(test) == [at(0)]


async def test_a_flow_that_this_worker_does_not_know_is_left_to_others(tmp_path: Path) -> None:
    stranger, file, time = cb.App("stranger"), tmp_path / "store.db", clock()

    @stranger.flow
    async def other(ctx: cb.Context, _: Any) -> None: ...

    async with runtime(stranger, file, clock=time) as test:
        for number in range(250):  # more than are looked at in one go
            await test.rt.schedules.put(f"lost-{number}", "lost", "0 * * * *")
        await test.rt.schedules.put("mine", "other", "30 9 * * *")
        await test.rt.schedules.put("theirs", "work", "0 * * * *", input=0.0)
        await test.wind(hours=2)
        assert await dues(test) == ["2027-03-01T09:30:00Z"]
    async with runtime(working(input=0.0, name="own"), file, clock=time) as test:
        await test.settle()
        assert await dues(test, flow="work") == [at(1)]


async def test_an_input_that_no_longer_fits_is_said_once_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    app = cb.App("typed")

    @app.flow
    async def count(ctx: cb.Context, n: int) -> int:
        return n

    app.schedule("0 * * * *", count, input=1, name="good")
    async with runtime(app, clock=clock()) as test:
        good = await test.rt.schedules.get("good")
        await test.rt.store.schedules.put(replace(good, name="bad", input=b'"x"'))
        with caplog.at_level(logging.ERROR, "callboard.schedules"):
            await test.wind(hours=3)
        assert await dues(test) == [at(0), at(1), at(2)]
        assert [record.message.count("cannot start now") for record in caplog.records] == [1] * len(caplog.records)
        assert 1 <= len(caplog.records) <= 2  # the worker says it, and so does the test's own look
        await test.rt.schedules.put("bad", count, "0 * * * *", input=2)
        await test.settle()
        assert len(await dues(test)) == 4


async def test_an_input_that_changed_after_the_start_does_not_start_again() -> None:
    app = working(input=0.0)
    async with runtime(app, clock=clock()) as test:
        await test.wind(hours=1)
        schedule = await test.rt.schedules.get("work")
        await test.rt.store.schedules.put(replace(schedule, next_at=NINE, input=b"0.5"))  # as if not moved on
        await test.settle()
        assert await dues(test) == [at(0)]
        again = await test.rt.schedules.get("work")
        assert (again.last_run, again.next_at) == (schedule.last_run, NINE + HOUR)


async def test_trigger_starts_one_now() -> None:
    async with runtime(working(input=2.0), clock=clock(0.25)) as test:
        before = await test.rt.schedules.get("work")
        await test.rt.schedules.trigger("work")
        await test.wind(1)
        (run,) = await started(test)
        assert run.created_at == NINE + 0.25 * HOUR + 1
        after = await test.rt.schedules.get("work")
        assert (after.next_at, after.last_run) == (before.next_at, run.id)
        with pytest.raises(cb.CallboardError, match="has not ended"):
            await test.rt.schedules.trigger("work")
        await test.rt.schedules.pause("work")
        with pytest.raises(cb.CallboardError, match="is paused"):
            await test.rt.schedules.trigger("work")


async def test_tenants_have_their_own() -> None:
    app = working(input=0.0, tenant="acme")
    async with runtime(app, clock=clock()) as test:
        await test.rt.schedules.put("work", "work", "30 9 * * *", input=0.0)
        await test.wind(hours=2)
        assert await dues(test) == ["2027-03-01T09:30:00Z"]
        assert len(await test.rt.store.runs.find("acme")) == 2
        await test.rt.schedules.remove("work", tenant="acme")
        await test.wind(hours=2)
        assert len(await test.rt.store.runs.find("acme")) == 2
        with pytest.raises(cb.CallboardError, match="no schedule 'work'"):
            await test.rt.schedules.pause("work", tenant="acme")


@pytest.mark.parametrize(
    ("cron", "options", "message"),
    [
        ("61 * * * *", {}, "schedule work: cron='61 \\* \\* \\* \\*' cannot be read; Bad minute"),
        ("* * * *", {}, "Wrong number of fields"),
        ("0 0 30 2 *", {}, "day-of-month"),
        (None, {}, "cannot be read"),
        ("0 * * * *", {"zone": "Mars/Olympus"}, "zone='Mars/Olympus' is not a time zone"),
        ("0 * * * *", {"overlap": "sometimes"}, "overlap='sometimes' is unknown; use one of skip, queue"),
        ("0 * * * *", {"catch_up": "some"}, "catch_up='some' is unknown"),
        ("0 * * * *", {"name": "two words"}, "name 'two words'"),
        ("0 * * * *", {"name": "n" * 201}, "200 characters"),
        ("0 * * * *", {"input": "much"}, "the input of work is not valid"),
        ("0 * * * *", {"tenant": ""}, "tenant='' is empty"),
    ],
)
def test_what_cannot_be_declared(cron: Any, options: dict[str, Any], message: str) -> None:
    app = cb.App("bad")

    @app.flow
    async def work(ctx: cb.Context, hours: float) -> None: ...

    with pytest.raises(cb.CallboardError, match=message):
        app.schedule(cron, work, **({"input": 1.0} | options))
    with pytest.raises(cb.CallboardError, match="has no flow 'nothing' to schedule; it has: work"):
        app.schedule("0 * * * *", "nothing")
    app.schedule("0 * * * *", "work", input=1)
    with pytest.raises(cb.CallboardError, match="has a schedule work already"):
        app.schedule("0 * * * *", work, input=1)


async def test_two_workers_on_one_file_start_each_second_once(tmp_path: Path) -> None:
    app = cb.App("seconds")

    @app.flow
    async def tick(ctx: cb.Context, _: Any) -> None: ...

    app.schedule("* * * * * *", tick, overlap="allow", catch_up="all")
    chosen = cb.Settings(store=f"sqlite:///{tmp_path / 'store.db'}", engine=EngineSettings(sweep=0.05))
    async with cb.open(app, settings=chosen) as first, cb.open(app, settings=chosen):
        async with asyncio.timeout(20):
            while len(runs := await first.store.runs.find("default")) < 4:
                await asyncio.sleep(0.05)
    moments = sorted(datetime.fromisoformat(run.labels["due"]).timestamp() for run in runs)
    assert moments == [moments[0] + n for n in range(len(moments))]
