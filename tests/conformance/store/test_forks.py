"""A fork shares the history of its run up to an event, and goes on by itself."""

import pytest

from callboard.domain.errors import Conflict, InputInvalid, NotFound
from callboard.domain.event import EventKind
from callboard.domain.run import Run, RunStatus
from callboard.store.claims import Renew
from callboard.store.store import Store
from tests.conformance.store.play import (
    ANNA,
    FLOWS,
    LARGE,
    LATER,
    TENANT,
    claim,
    end,
    ended,
    event,
    journal_of,
    new_id,
    running,
    send,
    status_of,
)


async def fork(store: Store, run_id: str, at_seq: int) -> Run:
    return await store.runs.fork(TENANT, run_id, at_seq, new_id(), LATER)


async def long_run(store: Store, steps: int = 5) -> str:
    """A run that went that many steps, each with its own number as its result, and succeeded."""
    held = await running(store, labels={"team": "blue"}, priority=4)
    await store.journal.append(held, [event(n) for n in range(1, steps + 1)])
    await store.claims.settle(held, end(steps + 1))
    return held.run_id


async def history(store: Store, run_id: str) -> list[object]:
    return [e.value() for e in await journal_of(store, run_id) if e.kind is not EventKind.FORKED]


async def test_a_fork_begins_as_its_run_did(store: Store) -> None:
    run_id = await long_run(store)
    run = await fork(store, run_id, 3)
    assert (run.status, run.fork_of, run.flow, run.version) == (RunStatus.READY, run_id, "order", "1")
    assert (run.labels, run.priority, run.created_at, run.key) == ({"team": "blue"}, 4, LATER, None)
    assert await history(store, run.id) == [{"n": 1}, 1, 2, 3]


async def test_a_fork_says_where_it_came_from(store: Store) -> None:
    run_id = await long_run(store)
    run = await fork(store, run_id, 3)
    last = (await journal_of(store, run.id))[-1]
    assert (last.seq, last.kind, last.value()) == (4, EventKind.FORKED, {"from": run_id, "at": 3})


async def test_a_claimed_fork_brings_the_shared_history(store: Store) -> None:
    run = await fork(store, await long_run(store), 2)
    found = await claim(store, run.id)
    assert found.events == await journal_of(store, run.id)
    assert [e.seq for e in found.events] == [0, 1, 2, 3]


async def test_a_fork_and_its_run_go_on_apart(store: Store) -> None:
    run_id = await long_run(store)
    run = await fork(store, run_id, 2)
    held = (await claim(store, run.id)).claim
    await send(store, run.id)
    await store.journal.append(held, [event(4, body=b'"other"')])
    await store.claims.settle(held, end(5, RunStatus.FAILED))
    assert await history(store, run.id) == [
        {"n": 1},
        1,
        2,
        "other",
        {"code": "boom", "kind": "bug", "message": "it broke"},
    ]
    assert await history(store, run_id) == [{"n": 1}, 1, 2, 3, 4, 5, "done"]
    assert await status_of(store, run_id) is RunStatus.SUCCEEDED


async def test_a_fork_of_a_fork_reads_through_all_of_them(store: Store) -> None:
    first = await fork(store, await long_run(store), 3)
    held = (await claim(store, first.id)).claim
    await store.journal.append(held, [event(5, body=b'"five"'), event(6, body=b'"six"')])
    await store.claims.settle(held, end(7))
    second = await fork(store, first.id, 5)
    assert await history(store, second.id) == [{"n": 1}, 1, 2, 3, "five"]
    assert [e.seq for e in await journal_of(store, second.id)] == list(range(7))


async def test_a_fork_of_a_fork_may_begin_before_the_first_fork(store: Store) -> None:
    first = await fork(store, await long_run(store), 4)
    second = await fork(store, first.id, 1)
    assert await history(store, second.id) == [{"n": 1}, 1]
    found = {c.run.id: c.events for c in await store.claims.claim(ANNA, FLOWS, 10, LATER)}
    assert found[first.id] == await journal_of(store, first.id)
    assert found[second.id] == await journal_of(store, second.id)


async def test_shared_history_is_read_in_pieces(store: Store) -> None:
    run = await fork(store, await long_run(store), 3)
    held = (await claim(store, run.id)).claim
    await store.journal.append(held, [event(5), event(6)])
    assert [e.seq for e in await store.journal.read(TENANT, run.id, after=1, limit=4)] == [2, 3, 4, 5]
    assert [e.seq for e in await store.journal.read(TENANT, run.id, limit=2)] == [0, 1]
    assert [e.seq for e in await store.journal.read(TENANT, run.id, after=4)] == [5, 6]


async def test_a_run_that_is_under_way_can_be_forked(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1), event(2)])
    run = await fork(store, held.run_id, 1)
    await store.journal.append(held, [event(3)])
    assert await history(store, run.id) == [{"n": 1}, 1]
    assert await history(store, held.run_id) == [{"n": 1}, 1, 2, 3]


async def test_a_fork_reads_the_large_payloads_of_its_run(store: Store) -> None:
    body = b'"%s"' % (b"x" * LARGE)
    held = await running(store, input=body)
    await store.journal.append(held, [event(1, body=body)])
    await store.claims.settle(held, end(2))
    run = await fork(store, held.run_id, 1)
    assert [e.body for e in await journal_of(store, run.id)][:2] == [body, body]


async def test_a_run_is_not_forked_while_an_effect_is_open_there(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1), event(2, EventKind.INTENT, "2:pay"), event(3)])
    await store.journal.append(held, [event(4, EventKind.DONE, "2:pay"), event(5)])
    for at_seq in (2, 3):
        with pytest.raises(Conflict, match="2:pay"):
            await fork(store, held.run_id, at_seq)
    for at_seq in (1, 4, 5):
        await fork(store, held.run_id, at_seq)


@pytest.mark.parametrize("how", [EventKind.FAILED, EventKind.CANCELLED, EventKind.ABANDONED])
async def test_an_effect_that_did_not_succeed_is_settled_too(store: Store, how: EventKind) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1, EventKind.INTENT, "1:pay"), event(2, how, "1:pay")])
    assert (await fork(store, held.run_id, 2)).fork_of == held.run_id


async def test_an_effect_that_is_tried_again_is_still_open(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1, EventKind.INTENT, "1:pay"), event(2, EventKind.RETRY, "1:pay")])
    with pytest.raises(Conflict):
        await fork(store, held.run_id, 2)


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED])
async def test_a_run_is_not_forked_after_its_end(store: Store, status: RunStatus) -> None:
    run_id = await ended(store, status)
    with pytest.raises(Conflict, match="ended"):
        await fork(store, run_id, 1)
    assert (await fork(store, run_id, 0)).fork_of == run_id


@pytest.mark.parametrize("at_seq", [-1, 7, 10**9])
async def test_a_run_is_not_forked_where_it_has_no_event(store: Store, at_seq: int) -> None:
    run_id = await long_run(store)
    with pytest.raises(InputInvalid, match=str(at_seq)):
        await fork(store, run_id, at_seq)
    assert len(await store.runs.find(TENANT)) == 1


async def test_an_unknown_run_is_not_forked(store: Store) -> None:
    with pytest.raises(NotFound):
        await fork(store, new_id(), 0)


async def test_an_effect_that_is_done_again_after_a_requeue_is_open_again(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1, EventKind.INTENT, "1:pay"), event(2, EventKind.FAILED, "1:pay")])
    await store.claims.settle(held, end(3, RunStatus.FAILED))
    await store.runs.requeue(TENANT, held.run_id, "", LATER)
    held = (await claim(store, held.run_id)).claim
    await store.journal.append(held, [event(5, EventKind.INTENT, "1:pay")])
    with pytest.raises(Conflict, match="1:pay"):
        await fork(store, held.run_id, 5)
    await fork(store, held.run_id, 4)


async def test_a_fork_of_a_run_that_began_anew_loads_what_came_since(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1, EventKind.INTENT, "1:pay"), event(2, EventKind.DONE, "1:pay")])
    await store.claims.settle(held, Renew(event(3, EventKind.CONTINUED, "", b'{"n":2}')))
    held = (await claim(store, held.run_id)).claim
    await store.journal.append(held, [event(4), event(5, EventKind.INTENT, "1:pay")])
    with pytest.raises(Conflict, match="1:pay"):  # the outcome before belongs to another effect of that name
        await fork(store, held.run_id, 5)
    late, early = await fork(store, held.run_id, 4), await fork(store, held.run_id, 2)
    found = {c.run.id: [e.seq for e in c.events] for c in await store.claims.claim(ANNA, FLOWS, 10, LATER)}
    assert found == {late.id: [3, 4, 5], early.id: [0, 1, 2, 3]}
    assert [e.seq for e in await journal_of(store, late.id)] == [0, 1, 2, 3, 4, 5]
