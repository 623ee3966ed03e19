"""Calls that go wrong on order, and whether the report sees what was done about them, and what was not."""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest

import callboard as cb
from callboard.resilience.breaker import BreakerRules
from callboard.testing import Chaos, FaultKind, FaultRule, ScriptedModel, call, chaos, every_kind, sweep
from callboard.testing.expectations import Deed


class World:
    """What happened outside, by the keys of the calls."""

    def __init__(self) -> None:
        self.looked = 0
        self.written: list[str] = []
        self.paid: list[str] = []
        self.undone: list[str] = []


def bank(**upstream: Any) -> tuple[cb.App, World]:
    """An app with a tool of each class, and a flow that calls them in order."""
    app, world = cb.App("bank"), World()
    app.upstream("bank", otherwise="fail", **upstream)

    @app.tool(effect="read", upstream="bank")
    async def look(at: str) -> str:
        """Looks."""
        world.looked += 1
        return f"{at} is there"

    @app.tool(effect="idempotent", upstream="bank")
    async def write(what: str, key: cb.IdempotencyKey) -> str:
        """Writes."""
        if key not in world.written:
            world.written.append(key)
        return what

    async def happened(key: str) -> cb.Applied | cb.NotApplied:
        return cb.Applied("paid") if key in world.paid else cb.NotApplied()

    @app.tool(effect="once", upstream="bank", reconcile=happened)
    async def pay(cents: int, key: cb.IdempotencyKey) -> str:
        """Pays."""
        world.paid.append(key)
        return "paid"

    @app.flow
    async def settle(ctx: cb.Context, cents: int) -> list[str]:
        return [
            await look.call(ctx, at="door"),
            await write.call(ctx, what="note"),
            await pay.call(ctx, cents=cents),
        ]

    return app, world


def deeds(storm: Chaos, policy: str) -> dict[str, int]:
    return storm.report().line(policy).did


async def test_a_call_that_fails_once_is_made_again_and_no_time_passes_for_it() -> None:
    app, world = bank()
    rule = FaultRule(kind=FaultKind.RATE_LIMITED, target="look", nth=1, retry_after=3_600.0)
    async with chaos(app, [rule]) as storm:
        begun = storm.test.clock.now()
        found = await storm.run("settle", 5)
        assert found.output == ["door is there", "note", "paid"]
        assert storm.test.clock.now() - begun >= 3_600
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("tool look").did == {Deed.RETRIED: 1}
    assert report.line("tool look").struck == {"429": 1}
    assert world.looked == 1


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("kind", ["timeout", "500", "refused", "kill"])
async def test_a_once_call_is_never_repeated_on_suspicion(kind: str, after: int, tmp_path: Path) -> None:
    app, world = bank()
    rules = [{"kind": kind, "target": "pay", "nth": 1, "after": after}]
    async with chaos(app, rules, path=tmp_path / "store.db") as storm:
        found = await storm.run("settle", 5)
        report = storm.report()
    assert found.status is cb.RunStatus.SUCCEEDED
    assert report.ok, report.text()
    assert report.line("tool pay").did == {(Deed.FOUND_OUT if after else Deed.MADE): 1}
    assert len(world.paid) == len(set(world.paid)) == 1


async def test_a_worker_dies_in_the_call_and_the_next_one_makes_it_with_the_same_key() -> None:
    app, world = bank()
    async with chaos(app, [FaultRule(kind=FaultKind.KILL, target="write", nth=1, after=1)]) as storm:
        found = await storm.run("settle", 5)
        report = storm.report()
        assert storm.kills == report.kills == 1
    assert found.output is not None
    assert report.line("tool write").did == {Deed.AGAIN: 1}
    assert report.line("worker").did == {Deed.AGAIN: 1}
    assert len(world.written) == 1


async def test_a_run_that_kills_every_worker_is_given_up_and_that_is_as_declared() -> None:
    app, _ = bank()
    async with chaos(app, [FaultRule(kind=FaultKind.KILL, target="write")]) as storm:
        found = await storm.run("settle", 5)
        report = storm.report()
    assert found.status is cb.RunStatus.DEAD
    assert report.ok, report.text()
    assert Deed.DEAD in report.line("tool write").did


async def test_in_doubt_without_a_reconcile_a_person_is_asked() -> None:
    app = cb.App("blind")

    @app.tool
    async def post(letter: str) -> str:
        """Posts a letter."""
        return "posted"

    @app.flow
    async def send(ctx: cb.Context, letter: str) -> str:
        return await post.call(ctx, letter=letter)

    async with chaos(app, [FaultRule(kind=FaultKind.CUT, target="post", nth=1)]) as storm:
        found = await storm.run(send, "dear")
        report = storm.report()
    assert found.status is cb.RunStatus.WAITING
    assert "Did post happen?" in found.questions[0]["question"]
    assert report.ok, report.text()
    assert report.line("tool post").did == {Deed.PERSON: 1}


async def test_a_fallback_stands_in_and_one_that_never_did_is_named() -> None:
    app = cb.App("rates")

    async def yesterday(day: str) -> float:
        return 1.0

    @app.tool(effect="read", fallback=yesterday, retry=cb.Retry(attempts=2))
    async def rate(day: str) -> float:
        """The rate of a day."""
        return 2.0

    @app.flow
    async def convert(ctx: cb.Context, day: str) -> float:
        return await rate.call(ctx, day=day)

    async with chaos(app, [FaultRule(kind=FaultKind.UNAVAILABLE, nth=1)]) as storm:
        assert (await storm.run(convert, "today")).output == 2.0
        assert storm.report().line("tool rate").unused == ("its fallback was never used",)
    async with chaos(app, [FaultRule(kind=FaultKind.UNAVAILABLE)]) as storm:
        assert (await storm.run(convert, "today")).output == 1.0
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("tool rate").did == {Deed.RETRIED: 1, Deed.FELL_BACK: 1}
    assert report.line("tool rate").unused == ()


def careful(on_failure: Any) -> cb.App:
    app = cb.App("careful")

    @app.tool(effect="read", retry=cb.Retry(attempts=1), on_failure=on_failure)
    async def ask(what: str) -> str:
        """Asks."""
        return "yes"

    @app.flow
    async def consult(ctx: cb.Context, what: str) -> str:
        return await ask.call(ctx, what=what)

    return app


async def test_what_was_declared_for_a_failure_is_seen_and_its_repeated_call_too() -> None:
    async with chaos(careful(cb.retry(2)), [FaultRule(kind=FaultKind.ERROR, nth=(1, 2))]) as storm:
        assert (await storm.run("consult", "it")).output == "yes"
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("tool ask").did == {Deed.FAILED: 2, "then retry": 2}
    async with chaos(careful(cb.escalate()), [FaultRule(kind=FaultKind.ERROR, nth=1)]) as storm:
        assert (await storm.run("consult", "it")).status is cb.RunStatus.WAITING
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("tool ask").did == {Deed.FAILED: 1, "then escalate": 1}


async def test_a_declared_handling_that_was_not_begun_is_wrong() -> None:
    app = careful(None)
    async with chaos(app, [FaultRule(kind=FaultKind.ERROR, nth=1)]) as storm:
        await storm.run("consult", "it")
        assert storm.report().ok
        app.tools["ask"] = app.tools["ask"].handled(cb.escalate())
        report = storm.report()
    assert [check.expected for check in report.wrong] == ["failed (upstream_down), then escalate"]


async def test_a_policy_that_is_not_kept_is_found() -> None:
    app, _ = bank()
    async with chaos(app, [FaultRule(kind=FaultKind.UNAVAILABLE, target="look", nth=1)]) as storm:
        await storm.run("settle", 5)
        assert storm.report().ok
        declared = app.tools["look"]
        declared.tool = dataclasses.replace(declared.tool, own_retry=True, retry=cb.Retry(attempts=1))
        report = storm.report()
    assert not report.ok
    (wrong,) = report.wrong
    assert (wrong.policy, wrong.expected, wrong.did) == (
        "tool look",
        "failed (upstream_down)",
        "retried (upstream_down)",
    )
    assert "NOT AS DECLARED" in report.text()


async def test_a_breaker_opens_after_as_many_failures_as_declared_and_the_calls_wait_for_it() -> None:
    app, world = bank(breaker=BreakerRules(failures=2), retry=cb.Retry(attempts=6))
    async with chaos(app, [FaultRule(kind=FaultKind.UNAVAILABLE, target="look", nth=(1, 2))]) as storm:
        assert (await storm.run("settle", 5)).status is cb.RunStatus.SUCCEEDED
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("upstream bank").did["breaker opened"] == 1
    assert world.looked == 1


async def test_a_breaker_that_stayed_closed_against_its_policy_is_found() -> None:
    app, _ = bank()
    async with chaos(app, [FaultRule(kind=FaultKind.UNAVAILABLE, target="look", nth=(1, 2))]) as storm:
        await storm.run("settle", 5)
        gate = storm._around.upstreams.gate("bank")
        gate.upstream = msgspec.structs.replace(gate.upstream, breaker=BreakerRules(failures=2))
        report = storm.report()
    assert [(check.policy, check.did) for check in report.wrong] == [("upstream bank", "it stayed closed")]


async def test_the_report_names_what_was_never_tried() -> None:
    app, _ = bank()
    rules = [FaultRule(kind=FaultKind.SLOW, target="look", nth=1), FaultRule(kind=FaultKind.CUT, target="nobody")]
    async with chaos(app, rules) as storm:
        await storm.run("settle", 5)
        untried = storm.report().untried
    assert "tool pay: nothing ever struck or used it" in untried
    assert "upstream bank: its breaker never opened" in untried
    assert "rule cut at */nobody: struck nothing" in untried
    assert any(line.startswith("tool look: never met timeout, 429") for line in untried)


async def test_hints_that_come_twice_or_never_start_nothing_twice() -> None:
    app, world = bank()
    rules = [{"kind": "duplicate", "upstream": "dispatch"}]
    async with chaos(app, rules) as storm:
        found = await storm.play("settle", range(8))
        report = storm.report()
    assert {each.status for each in found} == {cb.RunStatus.SUCCEEDED}
    assert report.ok, report.text()
    assert report.line("dispatch").struck["duplicate"] > 0
    assert len(world.paid) == len(set(world.paid)) == 8


async def test_what_undoes_a_call_is_struck_and_tried_again() -> None:
    app, world = cb.App("trips"), World()

    async def unbook(room: str, key: cb.IdempotencyKey) -> None:
        world.undone.append(key)

    @app.tool(effect="idempotent", compensate=unbook, upstream="hotel")
    async def book(room: str, key: cb.IdempotencyKey) -> str:
        """Books."""
        world.written.append(key)
        return room

    @app.flow
    async def trip(ctx: cb.Context, room: str) -> None:
        async with ctx.saga():
            await book.call(ctx, room=room)
            raise cb.StepFailed("no flight")

    async with chaos(app, [FaultRule(kind=FaultKind.UNAVAILABLE, target="book", nth=2)]) as storm:
        assert (await storm.run(trip, "12a")).status is cb.RunStatus.FAILED
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("tool book").did == {Deed.RETRIED: 1}
    assert len(world.undone) == 1


async def test_calls_of_runs_below_are_found_in_their_own_journals() -> None:
    app, _ = bank()
    (settle,) = app.flows()

    @app.flow
    async def above(ctx: cb.Context, cents: int) -> Any:
        return await ctx.spawn(settle, cents)

    async with chaos(app, [FaultRule(kind=FaultKind.UNAVAILABLE, target="write", nth=1)]) as storm:
        assert (await storm.run(above, 5)).status is cb.RunStatus.SUCCEEDED
        assert deeds(storm, "tool write") == {Deed.RETRIED: 1}


def talking(*names: str) -> cb.App:
    app = cb.App("talking")
    for name in names:
        app.model(name, ScriptedModel(["hello"], name=name))
    app.route("smart", *names)
    app.agent("talker", route="smart", prompt="Be kind.")
    return app


async def test_a_model_that_fails_is_asked_again_or_another_one_is() -> None:
    async with chaos(talking("one"), [FaultRule(kind=FaultKind.CUT, upstream="one", nth=1)]) as storm:
        assert (await storm.run("talker", "hi")).output == "hello"
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("model one").did == {Deed.RETRIED: 1}
    async with chaos(talking("one", "two"), [FaultRule(kind=FaultKind.UNAVAILABLE, upstream="one")]) as storm:
        assert (await storm.run("talker", "hi")).output == "hello"
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("route smart").did == {"failed over to two": 1}
    assert report.line("route smart").unused == ("never failed over to one",)


async def test_a_budget_that_denied_a_call_is_counted_and_one_that_did_not_is_named() -> None:
    app = talking("one")
    app.budget("tenant", calls=1)
    async with chaos(app) as storm:
        await storm.run("talker", "hi")
        assert "budget tenant *: nothing ever struck or used it" in storm.report().untried
        await storm.run("talker", "hi")
        assert deeds(storm, "budget tenant *") == {"denied a call": 1}


async def test_a_seed_makes_the_same_calls_go_wrong() -> None:
    async def struck(seed: int) -> list[int]:
        app, _ = bank(breaker=None)
        async with chaos(app, [FaultRule(kind=FaultKind.ERROR, target="look", probability=0.3)], seed=seed) as storm:
            for cents in range(12):
                await storm.run("settle", cents)
            return [fault.number + 100 * storm.faults.tallies[0].seen for fault in storm.faults.struck]

    assert await struck(1) == await struck(1)
    assert await struck(1) != await struck(2)


async def test_a_sweep_strikes_each_tool_with_each_kind_and_puts_the_reports_together(tmp_path: Path) -> None:
    app, world = bank()
    told: list[str] = []
    report = await sweep(app, "settle", [1, 2], folder=tmp_path, told=lambda each, one: told.append(each.title))
    assert report.ok, report.text()
    assert told == [each.title for each in every_kind()]
    assert report.line("tool look").unmet == report.line("tool write").unmet == report.line("tool pay").unmet == ()
    assert report.line("upstream bank").unused == ()
    assert len(world.paid) == len(set(world.paid))
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report


async def test_an_agent_is_told_of_a_tool_that_failed_for_good() -> None:
    app, _ = bank()
    app.agent("clerk", model=ScriptedModel([call("look", at="door"), "sorry"]), tools=[app.tools["look"]])
    async with chaos(app, [FaultRule(kind=FaultKind.MALFORMED, target="look")]) as storm:
        assert (await storm.run("clerk", "what is there?")).output == "sorry"
        report = storm.report()
    assert report.ok, report.text()
    assert report.line("tool look").did == {Deed.FAILED: 1}


async def test_rules_that_cannot_be_are_refused() -> None:
    app, _ = bank()
    with pytest.raises(cb.CallboardError, match="kind='504' is not one of"):
        FaultRule(kind="504")  # type: ignore[arg-type]
    with pytest.raises(msgspec.ValidationError):
        async with chaos(app, [{"kind": "503", "sometimes": True}]):
            pass
