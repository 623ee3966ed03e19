"""A question is answered once: the first decision or expiry wins, and the run hears of it."""

import asyncio

import pytest

from callboard.domain.errors import Conflict, LeaseLost, NotFound
from callboard.domain.run import RunStatus
from callboard.store.approvals import ApprovalStatus
from callboard.store.claims import Release
from callboard.store.store import Store
from tests.conformance.store.play import (
    BEN,
    LATER,
    STRANGER,
    T0,
    TENANT,
    approval,
    asked,
    claim,
    decide,
    end,
    letters,
    many_running,
    new_id,
    of_type,
    park,
    running,
    status_of,
)

DECISIONS = [ApprovalStatus.APPROVED, ApprovalStatus.REJECTED, ApprovalStatus.EDITED]


@pytest.mark.parametrize("status", DECISIONS)
async def test_a_decision_is_recorded_with_who_made_it_and_when(store: Store, status: ApprovalStatus) -> None:
    held = await running(store)
    question = await asked(store, held)
    await decide(store, question, status)
    found = await approval(store, question)
    assert (found.status, found.decision, found.decided_by, found.decided_at) == (status, "yes", "mia", LATER)


async def test_a_decision_wakes_the_run_and_leaves_a_letter(store: Store) -> None:
    held = await running(store)
    question = await asked(store, held, path="1/2:refund")
    await store.claims.settle(held, park())
    assert await decide(store, question) == (held.run_id, RunStatus.READY)
    again = await claim(store, held.run_id)
    assert [(x.name, x.body) for x in again.letters] == [("decision:1/2:refund", b'"yes"')]


async def test_a_decision_about_a_running_run_waits_in_its_inbox(store: Store) -> None:
    held = await running(store)
    question = await asked(store, held)
    assert await decide(store, question) == (held.run_id, RunStatus.RUNNING)
    assert len(await letters(store, held)) == 1
    assert not (await store.claims.settle(held, park(0))).done


async def test_a_question_is_decided_once(store: Store) -> None:
    held = await running(store)
    question = await asked(store, held)
    await decide(store, question)
    with pytest.raises(Conflict, match="approved"):
        await decide(store, question, ApprovalStatus.REJECTED)
    assert (await approval(store, question)).status is ApprovalStatus.APPROVED
    assert len(await letters(store, held)) == 1


async def test_of_two_people_who_decide_at_once_one_is_told_of_a_conflict(store: Store, other: Store) -> None:
    claims = await many_running(store, 40)
    questions = [await asked(store, held) for held in claims]
    said = (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED)
    results = await asyncio.gather(
        *[decide(at, q, how) for q in questions for at, how in zip((store, other), said, strict=True)],
        return_exceptions=True,
    )
    for n, (held, question) in enumerate(zip(claims, questions, strict=True)):
        pair = results[2 * n : 2 * n + 2]
        assert len(of_type(pair, Conflict)) == 1
        winner = said[0] if isinstance(pair[1], Conflict) else said[1]
        assert (await approval(store, question)).status is winner
        assert len(await letters(store, held)) == 1


async def test_an_expiry_closes_a_question_that_nobody_answered(store: Store) -> None:
    held = await running(store)
    question = await asked(store, held)
    assert await store.approvals.close(held, question, ApprovalStatus.EXPIRED) is ApprovalStatus.EXPIRED
    assert (await approval(store, question)).status is ApprovalStatus.EXPIRED
    with pytest.raises(Conflict, match="expired"):
        await decide(store, question)
    assert await letters(store, held) == []


async def test_an_expiry_that_comes_after_a_decision_is_told_of_it(store: Store) -> None:
    held = await running(store)
    question = await asked(store, held)
    await decide(store, question, ApprovalStatus.REJECTED)
    assert await store.approvals.close(held, question, ApprovalStatus.EXPIRED) is ApprovalStatus.REJECTED
    assert len(await letters(store, held)) == 1


async def test_of_a_decision_and_an_expiry_at_once_exactly_one_holds(store: Store, other: Store) -> None:
    claims = await many_running(store, 40)
    questions = [await asked(store, held) for held in claims]
    results = await asyncio.gather(
        *[
            move
            for held, q in zip(claims, questions, strict=True)
            for move in (decide(other, q), store.approvals.close(held, q, ApprovalStatus.EXPIRED))
        ],
        return_exceptions=True,
    )
    for n, (held, question) in enumerate(zip(claims, questions, strict=True)):
        decided, closed = results[2 * n : 2 * n + 2]
        stands = (await approval(store, question)).status
        assert closed is stands
        assert isinstance(decided, Conflict) == (stands is ApprovalStatus.EXPIRED)
        assert len(await letters(store, held)) == (0 if stands is ApprovalStatus.EXPIRED else 1)


async def test_a_question_is_not_closed_by_one_who_lost_the_run(store: Store) -> None:
    zombie = await running(store)
    question = await asked(store, zombie)
    await store.claims.settle(zombie, Release())
    await claim(store, zombie.run_id, BEN)
    with pytest.raises(LeaseLost):
        await store.approvals.close(zombie, question, ApprovalStatus.EXPIRED)
    assert (await approval(store, question)).status is ApprovalStatus.OPEN


@pytest.mark.parametrize("tenant", [TENANT, STRANGER])
async def test_a_runs_owner_cannot_close_the_question_of_another_run(store: Store, tenant: str) -> None:
    theirs = await asked(store, await running(store))
    mine = await running(store, tenant=tenant)
    with pytest.raises(NotFound):
        await store.approvals.close(mine, theirs, ApprovalStatus.WITHDRAWN)
    assert (await approval(store, theirs)).status is ApprovalStatus.OPEN


async def test_closing_a_question_that_never_was_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.approvals.close(await running(store), new_id(), ApprovalStatus.EXPIRED)


async def test_an_unknown_question_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await approval(store, new_id())
    with pytest.raises(NotFound):
        await decide(store, new_id())


async def test_questions_are_found_nearest_deadline_first(store: Store) -> None:
    held = await running(store)
    limits = [T0 + 30, None, T0 + 10, T0 + 20, None]
    ids = [await asked(store, held, n, deadline=d, at=T0 + n, path=f"{n}:a") for n, d in enumerate(limits, 1)]
    found = [a.id for a in await store.approvals.find(TENANT)]
    assert found == [ids[2], ids[3], ids[0], ids[1], ids[4]]
    assert [a.id for a in await store.approvals.find(TENANT, limit=2)] == found[:2]


async def test_questions_are_found_by_status_and_by_run(store: Store) -> None:
    mine, theirs = await many_running(store, 2)
    decided, still_open = await asked(store, mine, 1), await asked(store, mine, 2, path="2:b")
    elsewhere = await asked(store, theirs)
    await decide(store, decided)

    async def found(**by: object) -> set[str]:
        return {a.id for a in await store.approvals.find(TENANT, **by)}  # type: ignore[arg-type]

    assert await found() == {decided, still_open, elsewhere}
    assert await found(status=ApprovalStatus.OPEN) == {still_open, elsewhere}
    assert await found(run_id=mine.run_id) == {decided, still_open}
    assert await found(status=ApprovalStatus.APPROVED, run_id=mine.run_id) == {decided}
    assert await found(run_id=new_id()) == set()


async def test_a_decision_changes_nothing_when_its_run_has_ended(store: Store) -> None:
    held = await running(store)
    question = await asked(store, held)
    await store.claims.settle(held, end(2, RunStatus.FAILED))
    with pytest.raises(Conflict):
        await decide(store, question)
    assert await status_of(store, held.run_id) is RunStatus.FAILED
