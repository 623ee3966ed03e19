"""A run's end is written once, by its owner, and everybody whom it concerns is told in the same transaction."""

import asyncio

import pytest

from callboard.domain.errors import LeaseLost, StoreError
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Outcome, RunStatus
from callboard.store.approvals import ApprovalStatus
from callboard.store.claims import Finish, Park, Release, Settled
from callboard.store.letter import CANCEL
from callboard.store.store import Store
from tests.conformance.store.play import (
    BEN,
    ENDS,
    T0,
    TENANT,
    approval,
    asked,
    child_of,
    claim,
    end,
    event,
    journal_of,
    letters,
    many_running,
    of_type,
    overtaken,
    park,
    running,
    send,
    seqs_of,
    start,
    status_of,
)

BOOM = ErrorRecord("boom", "bug", "it broke")
ENDED = [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED]


async def test_a_run_that_succeeded_has_its_output(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1)])
    assert await store.claims.settle(held, end(2, body=b'{"total":7}')) == Settled(True)
    run = await store.runs.get(TENANT, held.run_id)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert run.finished_at == pytest.approx(T0, abs=1)
    assert await store.runs.outcomes(TENANT, [held.run_id]) == {held.run_id: Outcome(RunStatus.SUCCEEDED, {"total": 7})}


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED])
async def test_a_run_that_did_not_succeed_says_why(store: Store, status: RunStatus) -> None:
    held = await running(store)
    await store.claims.settle(held, end(1, status))
    run = await store.runs.get(TENANT, held.run_id)
    assert (run.status, run.error) == (status, BOOM)
    assert run.finished_at is not None
    assert await store.runs.outcomes(TENANT, [held.run_id]) == {held.run_id: Outcome(status, None, BOOM)}


async def test_a_blocked_run_says_why_and_has_not_ended(store: Store) -> None:
    held = await running(store)
    await store.claims.settle(held, end(1, RunStatus.BLOCKED))
    run = await store.runs.get(TENANT, held.run_id)
    assert (run.status, run.error, run.finished_at) == (RunStatus.BLOCKED, BOOM, None)
    assert await store.runs.outcomes(TENANT, [held.run_id]) == {}


@pytest.mark.parametrize("status", ENDS)
async def test_the_last_event_is_written_with_the_status(store: Store, status: RunStatus) -> None:
    held = await running(store)
    await store.claims.settle(held, end(1, status))
    assert [e.kind for e in await journal_of(store, held.run_id)] == [EventKind.STARTED, ENDS[status]]


async def test_the_end_comes_after_what_was_appended_just_before(store: Store) -> None:
    held = await running(store)
    await asyncio.gather(store.journal.append(held, [event(1)]), store.claims.settle(held, end(2)))
    assert [e.kind for e in await journal_of(store, held.run_id)][1:] == [EventKind.DONE, EventKind.RUN_SUCCEEDED]


@pytest.mark.parametrize("status", ENDED)
async def test_a_parent_that_waits_is_told_and_woken(store: Store, status: RunStatus) -> None:
    parent = await running(store)
    child = await claim(store, await child_of(store, parent, 1, path="1:pay"))
    await store.claims.settle(parent, park())
    done = await store.claims.settle(child.claim, end(1, status, notice=b'{"how":"well"}'))
    assert done == Settled(True, (parent.run_id,))
    again = await claim(store, parent.run_id)
    assert [(x.name, x.body) for x in again.letters] == [("child:1:pay", b'{"how":"well"}')]


async def test_a_parent_that_runs_is_told_and_not_woken(store: Store) -> None:
    parent = await running(store)
    child = await claim(store, await child_of(store, parent, 1))
    assert await store.claims.settle(child.claim, end(1, notice=b"{}")) == Settled(True)
    assert [x.name for x in await letters(store, parent)] == ["child:1:child"]


async def test_the_parents_of_many_children_that_end_at_once_are_told_of_their_own(store: Store) -> None:
    parents = await many_running(store, 10)
    children = []
    for n, parent in enumerate(parents):
        children.append((await claim(store, await child_of(store, parent, 1, path=f"{n}:c"))).claim)
        await store.claims.settle(parent, park())
    done = await asyncio.gather(*[store.claims.settle(c, end(1, notice=b"%d" % n)) for n, c in enumerate(children)])
    for n, parent in enumerate(parents):
        assert done[n].woken == (parent.run_id,)
    for found in await store.claims.claim(BEN, ["order@1"], 10, T0 + 999):
        n = [p.run_id for p in parents].index(found.run.id)
        assert [(x.name, x.body) for x in found.letters] == [(f"child:{n}:c", b"%d" % n)]


async def test_nobody_waits_for_a_detached_child(store: Store) -> None:
    parent = await running(store)
    child = await claim(store, await child_of(store, parent, 1, detached=True))
    await store.claims.settle(parent, park())
    assert await store.claims.settle(child.claim, end(1, notice=b"{}")) == Settled(True)
    assert await status_of(store, parent.run_id) is RunStatus.WAITING


async def test_a_child_may_end_after_its_parent(store: Store) -> None:
    parent = await running(store)
    child = await claim(store, await child_of(store, parent, 1))
    await store.claims.settle(parent, end(2))
    assert await store.claims.settle(child.claim, end(1, notice=b"{}")) == Settled(True)
    assert await status_of(store, parent.run_id) is RunStatus.SUCCEEDED


async def test_children_that_must_end_with_their_parent_are_told_to(store: Store) -> None:
    parent = await running(store)
    waits = (await claim(store, await child_of(store, parent, 1, path="1:waits"))).claim
    await store.claims.settle(waits, park())
    runs = (await claim(store, await child_of(store, parent, 2, path="2:runs"))).claim
    over = (await claim(store, await child_of(store, parent, 3, path="3:over"))).claim
    await store.claims.settle(over, end(1))
    free = (await claim(store, await child_of(store, parent, 4, path="4:free", detached=True))).claim
    stranger = await running(store)

    assert await store.claims.settle(parent, end(5, orphans=True)) == Settled(True, (waits.run_id,))
    assert [x.name for x in (await claim(store, waits.run_id)).letters] == [CANCEL]
    assert [x.name for x in await letters(store, runs)] == [CANCEL]
    assert await letters(store, free) == await letters(store, stranger) == []
    assert await status_of(store, over.run_id) is RunStatus.SUCCEEDED


@pytest.mark.parametrize("status", ENDED)
async def test_questions_of_a_run_that_has_ended_are_withdrawn(store: Store, status: RunStatus) -> None:
    held = await running(store)
    question = await asked(store, held)
    elsewhere = await asked(store, await running(store))
    await store.claims.settle(held, end(2, status))
    assert (await approval(store, question)).status is ApprovalStatus.WITHDRAWN
    assert (await approval(store, elsewhere)).status is ApprovalStatus.OPEN


async def test_questions_of_a_blocked_run_stay_open(store: Store) -> None:
    held = await running(store)
    question = await asked(store, held)
    await store.claims.settle(held, end(2, RunStatus.BLOCKED))
    assert (await approval(store, question)).status is ApprovalStatus.OPEN


async def test_an_end_under_an_old_epoch_is_refused_and_nobody_is_told(store: Store) -> None:
    parent = await running(store)
    child = await claim(store, await child_of(store, parent, 1))
    await store.claims.settle(child.claim, Release())
    await claim(store, child.run.id)
    with pytest.raises(LeaseLost):
        await store.claims.settle(child.claim, end(1, notice=b"{}", orphans=True))
    assert await seqs_of(store, child.run.id) == [0]
    assert await status_of(store, child.run.id) is RunStatus.RUNNING
    assert await letters(store, parent) == []


async def test_a_run_cannot_end_twice(store: Store) -> None:
    held = await running(store)
    await store.claims.settle(held, end(1))
    with pytest.raises(LeaseLost):
        await store.claims.settle(held, end(2, RunStatus.FAILED))
    assert await status_of(store, held.run_id) is RunStatus.SUCCEEDED
    assert await seqs_of(store, held.run_id) == [0, 1]


@pytest.mark.parametrize("zombie_first", [True, False], ids=["zombie first", "owner first"])
@pytest.mark.parametrize("way", ["finish", "park", "release"])
async def test_a_zombie_that_settles_at_once_with_the_owner_is_refused(
    store: Store, way: str, zombie_first: bool
) -> None:
    zombie, owner = await overtaken(store)
    endings: dict[str, Park | Finish | Release] = {"finish": end(1), "park": park(), "release": Release()}
    pair = [zombie, owner] if zombie_first else [owner, zombie]
    results = await asyncio.gather(*[store.claims.settle(c, endings[way]) for c in pair], return_exceptions=True)
    by_claim = dict(zip([c.epoch for c in pair], results, strict=True))
    assert by_claim[owner.epoch] == Settled(True)
    assert isinstance(by_claim[zombie.epoch], LeaseLost)


async def test_a_parent_is_told_what_the_owner_said_when_a_zombie_ends_the_child_as_well(store: Store) -> None:
    parent = await running(store)
    zombie = (await claim(store, await child_of(store, parent, 1))).claim
    await store.claims.settle(zombie, Release())
    owner = (await claim(store, zombie.run_id)).claim
    await asyncio.gather(
        store.claims.settle(owner, end(1, notice=b'"owner"')),
        store.claims.settle(zombie, end(1, notice=b'"zombie"')),
        return_exceptions=True,
    )
    assert [x.body for x in await letters(store, parent)] == [b'"owner"']


async def test_an_end_that_cannot_be_written_fails_alone(store: Store) -> None:
    claims = await many_running(store, 8)
    results = await asyncio.gather(
        *[store.claims.settle(c, end(0 if n == 3 else 1)) for n, c in enumerate(claims)], return_exceptions=True
    )
    assert len(of_type(results, StoreError)) == 1
    assert isinstance(results[3], StoreError)
    for n, held in enumerate(claims):
        wanted = RunStatus.RUNNING if n == 3 else RunStatus.SUCCEEDED
        assert await status_of(store, held.run_id) is wanted


async def test_one_lost_run_among_many_that_end_at_once_is_refused_alone(store: Store) -> None:
    zombie, owner = await overtaken(store)
    claims = [*await many_running(store, 8), zombie]
    results = await asyncio.gather(*[store.claims.settle(c, end(1)) for c in claims], return_exceptions=True)
    assert [type(r) for r in results] == [Settled] * 8 + [LeaseLost]
    assert await status_of(store, owner.run_id) is RunStatus.RUNNING


async def test_a_run_that_is_handed_back_is_ready_for_another_worker(store: Store) -> None:
    held = await running(store)
    assert await store.claims.settle(held, Release()) == Settled(True)
    assert await status_of(store, held.run_id) is RunStatus.READY
    assert (await claim(store, held.run_id, BEN)).claim.epoch > held.epoch


async def test_a_run_cannot_be_handed_back_by_one_who_lost_it(store: Store) -> None:
    zombie, owner = await overtaken(store)
    with pytest.raises(LeaseLost):
        await store.claims.settle(zombie, Release())
    assert await status_of(store, owner.run_id) is RunStatus.RUNNING


async def test_settling_one_run_leaves_the_others_alone(store: Store) -> None:
    first, second, third = await many_running(store, 3)
    ready = await start(store)
    await asyncio.gather(
        store.claims.settle(first, end(1)), store.claims.settle(second, Release()), store.claims.settle(third, park())
    )
    found = [await status_of(store, c) for c in (first.run_id, second.run_id, third.run_id, ready)]
    assert found == [RunStatus.SUCCEEDED, RunStatus.READY, RunStatus.WAITING, RunStatus.READY]


@pytest.mark.parametrize(("status", "kept"), [("succeeded", 0), ("cancelled", 0), ("failed", 1)])
async def test_letters_that_nobody_will_read_go_with_the_end_of_their_run(store: Store, status: str, kept: int) -> None:
    held = await running(store)
    await send(store, held.run_id)
    await store.claims.settle(held, end(1, RunStatus(status)))
    assert len((await store.inbox.read(held, 0))[1]) == kept
