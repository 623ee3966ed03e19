"""What belongs to an event is written with it, or not at all."""

import asyncio

import pytest

from callboard.domain.errors import LeaseLost, NotFound, StoreError
from callboard.domain.run import RunStatus
from callboard.domain.usage import Usage
from callboard.store.approvals import ApprovalStatus
from callboard.store.journal import Extras
from callboard.store.letter import Letter
from callboard.store.runs import NewRun
from callboard.store.store import Store
from tests.conformance.store.play import (
    TENANT,
    approval,
    ask,
    claim,
    event,
    journal_of,
    letters,
    new_run,
    overtaken,
    running,
    send,
    seqs_of,
    status_of,
)

DEADLINE = 1_700_000_500.0


async def test_consumed_letters_go_and_the_others_stay(store: Store) -> None:
    held = await running(store)
    for name in ("signal:a", "signal:b", "signal:c"):
        await send(store, held.run_id, name)
    await store.journal.append(held, [event(1)], Extras(consumed=(1, 3)))
    assert await store.inbox.read(held, 0) == (3, [Letter(2, "signal:b", b"null")])


async def test_a_child_starts_with_the_event_that_asked_for_it(store: Store) -> None:
    held = await running(store)
    child = new_run(parent=held.run_id, parent_path="1:pay", depth=1, input=b'"in"')
    await store.journal.append(held, [event(1)], Extras(children=(child,)))
    run = await store.runs.get(TENANT, child.id)
    assert (run.parent, run.depth, run.status) == (held.run_id, 1, RunStatus.READY)
    assert [e.body for e in await journal_of(store, child.id)] == [b'"in"']


async def test_a_question_opens_with_the_event_that_asks_it(store: Store) -> None:
    held = await running(store)
    question = ask(path="2/1:refund", kind="settle", proposal=b'{"cents":5}', deadline=DEADLINE)
    await store.journal.append(held, [event(1)], Extras(asks=(question,)))
    found = await approval(store, question.id)
    assert (found.run_id, found.path, found.kind) == (held.run_id, "2/1:refund", "settle")
    assert (found.status, found.proposal, found.deadline) == (ApprovalStatus.OPEN, {"cents": 5}, DEADLINE)
    assert (found.decided_at, found.decided_by, found.decision) == (None, None, None)


async def test_labels_are_merged_into_the_runs_labels(store: Store) -> None:
    held = await running(store, labels={"team": "blue", "step": "one"})
    await store.journal.append(held, [event(1)], Extras(labels={"step": "two", "vip": "yes"}))
    run = await store.runs.get(TENANT, held.run_id)
    assert run.labels == {"team": "blue", "step": "two", "vip": "yes"}


async def test_usage_is_added_up(store: Store) -> None:
    held = await running(store)
    await asyncio.gather(
        store.journal.append(held, [event(1)], Extras(spent=Usage(10, 5, 700, 3, 2, 4))),
        store.journal.append(held, [event(2)], Extras(spent=Usage(1, 1, 1, 1, 1, 1))),
    )
    assert (await store.runs.get(TENANT, held.run_id)).usage == Usage(11, 6, 701, 4, 3, 5)


def everything(child: NewRun, question_id: str) -> Extras:
    return Extras(
        consumed=(1,),
        children=(child,),
        asks=(ask(id=question_id),),
        labels={"half": "written"},
        spent=Usage(1, 1, 1),
    )


async def assert_untouched(store: Store, run_id: str, child: NewRun, question_id: str) -> None:
    run = await store.runs.get(TENANT, run_id)
    assert (run.labels, run.usage) == ({}, Usage())
    assert await seqs_of(store, run_id) == [0]
    with pytest.raises(NotFound):
        await store.runs.get(TENANT, child.id)
    with pytest.raises(NotFound):
        await store.approvals.get(TENANT, question_id)


async def test_under_an_old_epoch_no_part_of_it_is_written(store: Store) -> None:
    zombie, owner = await overtaken(store)
    await send(store, owner.run_id)
    child, question_id = new_run(), ask().id
    with pytest.raises(LeaseLost):
        await store.journal.append(zombie, [event(1)], everything(child, question_id))
    await assert_untouched(store, owner.run_id, child, question_id)
    assert len(await letters(store, owner)) == 1


async def test_when_the_event_cannot_be_written_no_part_of_it_is(store: Store) -> None:
    held = await running(store)
    await send(store, held.run_id)
    neighbour = await running(store)
    child, question_id = new_run(), ask().id
    results = await asyncio.gather(
        store.journal.append(held, [event(0)], everything(child, question_id)),
        store.journal.append(neighbour, [event(1)], Extras(labels={"a": "b"})),
        return_exceptions=True,
    )
    assert isinstance(results[0], StoreError)
    await assert_untouched(store, held.run_id, child, question_id)
    assert len(await letters(store, held)) == 1
    assert (await store.runs.get(TENANT, neighbour.run_id)).labels == {"a": "b"}


async def test_when_a_part_cannot_be_written_neither_is_the_event(store: Store) -> None:
    held = await running(store)
    await send(store, held.run_id)
    taken = await running(store)  # its id cannot be a child's as well
    child, question_id = new_run(), ask().id
    extras = everything(child, question_id)
    broken = Extras(extras.consumed, (child, new_run(id=taken.run_id)), extras.asks, extras.labels, extras.spent)
    with pytest.raises(StoreError):
        await store.journal.append(held, [event(1)], broken)
    await assert_untouched(store, held.run_id, child, question_id)
    assert len(await letters(store, held)) == 1


async def test_a_child_can_be_claimed_while_its_parent_runs(store: Store) -> None:
    held = await running(store)
    child = new_run(parent=held.run_id, parent_path="1:pay")
    await store.journal.append(held, [event(1)], Extras(children=(child,)))
    await claim(store, child.id)
    assert await status_of(store, held.run_id) is RunStatus.RUNNING


async def test_parts_without_an_event_are_fenced_like_any_other(store: Store) -> None:
    zombie, owner = await overtaken(store)
    await send(store, owner.run_id)
    child, question_id = new_run(), ask().id
    with pytest.raises(LeaseLost):
        await store.journal.append(zombie, [], everything(child, question_id))
    await assert_untouched(store, owner.run_id, child, question_id)
    assert len(await letters(store, owner)) == 1


async def test_a_refused_append_without_an_event_holds_up_nobody(store: Store) -> None:
    held = await running(store)
    question = ask()
    await store.journal.append(held, [], Extras(asks=(question,)))
    async with asyncio.timeout(60):
        with pytest.raises(StoreError):
            await store.journal.append(held, [], Extras(asks=(question,)))
        await store.journal.append(held, [event(1)])
    assert await seqs_of(store, held.run_id) == [0, 1]
