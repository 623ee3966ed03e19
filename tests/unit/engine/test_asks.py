"""Asking a person: approve, reject, edit, or nobody in time; the decision and its deadline cannot both count."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import Conflict, InputInvalid
from callboard.domain.event import EventKind
from callboard.store.approvals import ApprovalStatus
from callboard.testing import WindingClock, runtime
from callboard.testing.crash import Dying
from tests.unit.engine.play import decide, die_and_return, failure, kinds, open_question

PROPOSAL = {"refund": 5_000}


def asking(**options: Any) -> tuple[cb.App, list[cb.Decision]]:
    """An app whose flow asks once, sleeps so that it is replayed, and tells what it was answered."""
    app, answers = cb.App("asks"), []

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        decision = await ctx.ask(PROPOSAL, **options)
        answers.append(decision)
        await ctx.sleep(10)
        return [decision.status, decision.approved, decision.value, decision.by, decision.note]

    return app, answers


@pytest.mark.parametrize(
    ("status", "value", "expected"),
    [
        ("approved", None, ["approved", True, PROPOSAL, "anna", "fine"]),
        ("rejected", None, ["rejected", False, None, "anna", "fine"]),
        ("edited", {"refund": 1}, ["edited", True, {"refund": 1}, "anna", "fine"]),
    ],
)
async def test_the_flow_gets_what_the_person_decided(status: str, value: Any, expected: list[Any]) -> None:
    app, answers = asking()
    async with runtime(app) as test:
        handle = await test.start("flow")
        await decide(test, handle, status, value, note="fine")
        await test.wind(11)
        assert await handle.result(timeout=30) == expected
    assert answers[0] == answers[1]


async def test_the_question_shows_the_proposal_the_run_and_the_deadline() -> None:
    app, _ = asking(timeout=60)
    async with runtime(app) as test:
        handle = await test.start("flow")
        question = await open_question(test, handle)
        assert (question.run_id, question.path, question.kind) == (handle.id, "0:ask", "ask")
        assert (question.proposal, question.deadline) == (PROPOSAL, test.clock.now() + 60)


@pytest.mark.parametrize(
    ("otherwise", "expected"),
    [
        ("reject", ["expired", False, PROPOSAL, "deadline", ""]),
        ("approve", ["approved", True, PROPOSAL, "deadline", ""]),
    ],
)
async def test_after_the_deadline_what_was_declared_counts(otherwise: str, expected: list[Any]) -> None:
    app, answers = asking(timeout=60, otherwise=otherwise)
    async with runtime(app) as test:
        handle = await test.start("flow")
        question = await open_question(test, handle)
        await test.wind(80)
        assert await handle.result(timeout=30) == expected
        assert (await test.rt.store.approvals.get("default", question.id)).status is ApprovalStatus.EXPIRED
        with pytest.raises(Conflict, match="expired already"):
            await test.rt.commands.decide("default", question.id, "approved", by="anna")
    assert answers[0] == answers[1]


async def test_a_deadline_can_be_a_failure() -> None:
    app, _ = asking(timeout=60, otherwise="fail")
    async with runtime(app) as test:
        handle = await test.start("flow")
        await test.wind(61)
        error = await failure(handle)
    assert isinstance(error, cb.TimedOut)
    assert str(error) == "nobody decided in time"


async def test_a_decision_made_while_nobody_executes_counts_though_the_deadline_has_passed_since() -> None:
    app, _ = asking(timeout=60)
    async with runtime(app) as test:
        handle = await test.start("flow")
        question = await open_question(test, handle)
        await test.kill()
        await test.rt.commands.decide("default", question.id, "approved", by="anna")
        test.clock.set(test.clock.now() + 61)
        await test.restart()
        await test.wind(11)
        assert (await test.rt.handle(handle.id).result(timeout=30))[0] == "approved"


async def test_a_decision_and_the_deadline_in_the_same_moment_agree_on_one_of_them() -> None:
    app, _ = asking(timeout=60)
    async with runtime(app) as test:
        handles = [await test.start("flow") for _ in range(40)]
        questions = [await open_question(test, handle) for handle in handles]
        due = test.clock.now() + 60

        async def approve(question: Any) -> bool:
            try:
                await test.rt.commands.decide("default", question.id, "approved", by="anna")
            except Conflict:
                return False
            return True

        decisions = [asyncio.create_task(approve(question)) for question in questions]
        await asyncio.sleep(0)
        test.clock.set(due)
        counted = await asyncio.gather(*decisions)
        await test.wind(11)
        results = [(await handle.result(timeout=30))[0] for handle in handles]
    assert results == ["approved" if told else "expired" for told in counted]


async def test_a_question_can_be_decided_once() -> None:
    app, _ = asking()
    async with runtime(app) as test:
        handle = await test.start("flow")
        question = await open_question(test, handle)
        await test.rt.commands.decide("default", question.id, "rejected", by="anna")
        with pytest.raises(Conflict, match="rejected already"):
            await test.rt.commands.decide("default", question.id, "approved", by="ben")
        await test.wind(11)
        assert (await handle.result(timeout=30))[0] == "rejected"


@pytest.mark.parametrize("status", ["expired", "withdrawn", "open", "maybe"])
async def test_only_decisions_of_people_are_taken(status: str) -> None:
    app, _ = asking()
    async with runtime(app) as test:
        handle = await test.start("flow")
        question = await open_question(test, handle)
        with pytest.raises(InputInvalid, match="no decision"):
            await test.rt.commands.decide("default", question.id, status, by="anna")


async def test_a_death_while_a_person_thinks_opens_no_second_question() -> None:
    app, _ = asking()
    async with runtime(app) as test:
        handle = await test.start("flow")
        before = await open_question(test, handle)
        handle = await die_and_return(test, handle)
        await handle.signal("noise")  # wakes it
        assert (await open_question(test, handle)).id == before.id


async def test_a_cancel_withdraws_the_question() -> None:
    app, _ = asking()
    async with runtime(app) as test:
        handle = await test.start("flow")
        question = await open_question(test, handle)
        await handle.cancel("enough")
        await test.settle()
        assert await handle.status() is cb.RunStatus.CANCELLED
        assert (await test.rt.store.approvals.get("default", question.id)).status is ApprovalStatus.WITHDRAWN
        assert await kinds(test, handle, "0:ask") == [EventKind.INTENT, EventKind.CANCELLED]
        with pytest.raises(Conflict, match="withdrawn already"):
            await test.rt.commands.decide("default", question.id, "approved", by="anna")


async def test_a_death_between_the_withdrawal_of_a_question_and_the_record_of_it_ends_in_no_endless_look(
    tmp_path: Path,
) -> None:
    app, clock = cb.App("asks"), WindingClock()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        won, value = await ctx.race(ctx.ask(PROPOSAL, timeout=60), ctx.wait("word"))
        return [won, value] if won else [won, value.status]

    for commits in range(1, 20):
        path, dying = tmp_path / f"{commits}.db", Dying(None)
        async with runtime(app, path, clock=clock, fault=dying) as test:
            handle = await test.start(flow)
            await test.settle()
            dying._left = dying.commits + 1 + commits
            await handle.signal("word", "yes")
            while not dying.dead and not (await handle.status()).ended:
                await asyncio.sleep(0.002)
            await test.kill()
        if not dying.dead:
            return  # it got to its end before it died: every point has been tried
        clock.set(clock.now() + 61)
        async with runtime(app, path, clock=clock) as test:
            assert await test.rt.handle(handle.id).result(timeout=30) in ([1, "yes"], [0, "expired"]), commits


async def test_of_several_questions_side_by_side_each_gets_its_own_answer() -> None:
    app = cb.App("asks")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        answers = await ctx.gather(*[ctx.ask({"item": n}) for n in range(5)])
        return [a.value["item"] if a.approved else None for a in answers]

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.settle()
        questions = await test.rt.store.approvals.find("default", run_id=handle.id)
        for question in sorted(questions, key=lambda q: -q.proposal["item"]):
            status = "rejected" if question.proposal["item"] == 2 else "approved"
            await test.rt.commands.decide("default", question.id, status, by="anna")
            await test.settle()
        assert await handle.result(timeout=30) == [0, 1, None, 3, 4]


async def test_an_unknown_way_out_is_refused_and_so_is_a_proposal_of_no_json() -> None:
    app = cb.App("asks")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[str]:
        codes = []
        for proposal, otherwise in (({}, "shrug"), (object(), "reject")):
            try:
                await ctx.ask(proposal, otherwise=otherwise)  # type: ignore[arg-type]
            except cb.CallboardError as error:
                codes.append(error.code)
        return codes

    async with runtime(app) as test:
        assert await test.run(flow) == ["input_invalid", "unencodable"]
