"""Letters to a run wait in order until it consumes them, and wake it."""

import asyncio

import pytest

from callboard.domain.errors import Conflict, LeaseLost, NotFound
from callboard.domain.run import RunStatus
from callboard.store.journal import Extras
from callboard.store.letter import Letter
from callboard.store.store import Store
from tests.conformance.store.play import (
    LATER,
    STRANGER,
    TENANT,
    claim,
    ended,
    event,
    letters,
    new_id,
    of_type,
    overtaken,
    running,
    send,
    start,
    status_of,
    waiting,
)

ENDED = [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED]


async def test_letters_are_numbered_and_read_in_the_order_they_were_sent(store: Store) -> None:
    held = await running(store)
    await asyncio.gather(*[send(store, held.run_id, f"signal:{n}", n) for n in range(1, 6)])
    assert await store.inbox.read(held, 0) == (5, [Letter(n, f"signal:{n}", b"%d" % n) for n in range(1, 6)])


async def test_letters_are_read_above_a_number(store: Store) -> None:
    held = await running(store)
    for _ in range(4):
        await send(store, held.run_id)
    counter, found = await store.inbox.read(held, 2)
    assert (counter, [x.seq for x in found]) == (4, [3, 4])
    assert await store.inbox.read(held, 4) == (4, [])


async def test_the_counter_counts_all_letters_ever_sent(store: Store) -> None:
    held = await running(store)
    await send(store, held.run_id)
    await store.journal.append(held, [event(1)], Extras(consumed=(1,)))
    assert await store.inbox.read(held, 0) == (1, [])
    await send(store, held.run_id)
    counter, found = await store.inbox.read(held, 0)
    assert (counter, [x.seq for x in found]) == (2, [2])


async def test_letters_of_two_processes_get_different_numbers(store: Store, other: Store) -> None:
    held = await running(store)
    await asyncio.gather(*[send(at, held.run_id) for _ in range(30) for at in (store, other)])
    counter, found = await store.inbox.read(held, 0)
    assert (counter, [x.seq for x in found]) == (60, list(range(1, 61)))


async def test_a_letter_is_kept_for_each_run_alone(store: Store) -> None:
    mine, theirs = await running(store), await running(store)
    await send(store, mine.run_id)
    assert len(await letters(store, mine)) == 1
    assert await store.inbox.read(theirs, 0) == (0, [])


async def test_a_letter_wakes_a_run_that_waits(store: Store) -> None:
    held = await waiting(store)
    assert await send(store, held.run_id) is RunStatus.READY
    assert [x.name for x in (await claim(store, held.run_id)).letters] == ["signal:go"]


async def test_a_letter_to_a_running_run_is_there_when_its_owner_looks(store: Store) -> None:
    held = await running(store)
    assert await send(store, held.run_id) is RunStatus.RUNNING
    assert len(await letters(store, held)) == 1


async def test_a_letter_to_a_ready_run_waits_for_its_owner(store: Store) -> None:
    run_id = await start(store)
    assert await send(store, run_id) is RunStatus.READY
    assert len((await claim(store, run_id)).letters) == 1


async def test_a_blocked_run_keeps_its_letters_until_it_is_requeued(store: Store) -> None:
    run_id = await ended(store, RunStatus.BLOCKED)
    assert await send(store, run_id) is RunStatus.BLOCKED
    assert await status_of(store, run_id) is RunStatus.BLOCKED
    await store.runs.requeue(TENANT, run_id, "fixed", LATER)
    assert [x.name for x in (await claim(store, run_id)).letters] == ["signal:go"]


@pytest.mark.parametrize("status", ENDED)
async def test_a_run_that_has_ended_takes_no_letters(store: Store, status: RunStatus) -> None:
    run_id = await ended(store, status)
    with pytest.raises(Conflict, match="ended"):
        await send(store, run_id)
    assert await status_of(store, run_id) is status


async def test_an_unknown_run_takes_no_letters(store: Store) -> None:
    with pytest.raises(NotFound):
        await send(store, new_id())


async def test_another_tenants_run_takes_no_letters(store: Store) -> None:
    held = await waiting(store, tenant=STRANGER)
    with pytest.raises(NotFound):
        await send(store, held.run_id)
    assert await status_of(store, held.run_id, STRANGER) is RunStatus.WAITING


async def test_letters_that_cannot_be_sent_fail_alone(store: Store) -> None:
    done, waits = await ended(store), await waiting(store)
    results = await asyncio.gather(
        *[send(store, run_id) for run_id in (new_id(), waits.run_id, done, waits.run_id)], return_exceptions=True
    )
    assert [type(r) for r in results] == [NotFound, RunStatus, Conflict, RunStatus]
    assert len(of_type(results, Exception)) == 2
    assert len((await claim(store, waits.run_id)).letters) == 2


async def test_the_inbox_is_closed_to_one_who_lost_the_run(store: Store) -> None:
    zombie, owner = await overtaken(store)
    await send(store, owner.run_id)
    with pytest.raises(LeaseLost):
        await store.inbox.read(zombie, 0)
    assert len(await letters(store, owner)) == 1
