"""Appended events are durable, in order, without gaps, and written by nobody but the run's owner."""

import asyncio
from typing import Any

import pytest

from callboard.domain.errors import LeaseLost, NotFound, StoreError
from callboard.domain.event import Event, EventKind
from callboard.store.claims import Release
from callboard.store.journal import Extras
from callboard.store.store import Store
from tests.conformance.store.play import (
    BEN,
    LARGE,
    LATER,
    TENANT,
    claim,
    end,
    event,
    journal_of,
    many_running,
    new_id,
    of_type,
    overtaken,
    park,
    running,
    seqs_of,
)

# An append takes one way alone and another together with extras; both are fenced.
ALONE_OR_NOT = pytest.mark.parametrize("extras", [None, Extras(labels={"a": "b"})], ids=["alone", "extras"])


async def test_an_event_comes_back_as_it_was_appended(store: Store) -> None:
    held = await running(store)
    written = Event(1, EventKind.RETRY, "3/1:refund", b"\x00\xff digest", 1_700_000_000_123_456, 42, b'{"n":[1,2]}')
    await store.journal.append(held, [written])
    assert (await journal_of(store, held.run_id))[1] == written


async def test_an_event_may_be_without_body_and_digest(store: Store) -> None:
    held = await running(store)
    bare = Event(1, EventKind.ABANDONED, "1:step", b"", 1, 0, b"")
    await store.journal.append(held, [bare])
    assert (await journal_of(store, held.run_id))[1] == bare


async def test_an_append_that_returned_is_seen_by_every_store(store: Store, other: Store) -> None:
    held = await running(store)
    for seq in range(1, 6):
        await store.journal.append(held, [event(seq)])
        assert await seqs_of(other, held.run_id) == list(range(seq + 1))


@ALONE_OR_NOT
async def test_appends_that_nobody_waits_for_in_between_leave_no_gap(store: Store, extras: Extras | None) -> None:
    held = await running(store)
    appends = [store.journal.append(held, [event(n)], extras if n % 3 else None) for n in range(1, 61)]
    await asyncio.gather(*appends)
    assert await seqs_of(store, held.run_id) == list(range(61))


async def test_the_journals_of_many_runs_do_not_mix(store: Store) -> None:
    claims = await many_running(store, 25)
    await asyncio.gather(
        *[
            store.journal.append(held, [event(seq, body=b'"%s"' % held.run_id.encode())])
            for seq in range(1, 9)
            for held in claims
        ]
    )
    for held in claims:
        events = await journal_of(store, held.run_id)
        assert [e.seq for e in events] == list(range(9))
        assert {e.value() for e in events[1:]} == {held.run_id}


async def test_a_journal_is_read_from_any_place_and_in_pieces(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(seq) for seq in range(1, 10)])
    assert [e.seq for e in await store.journal.read(TENANT, held.run_id, after=6)] == [7, 8, 9]
    assert [e.seq for e in await store.journal.read(TENANT, held.run_id, after=2, limit=3)] == [3, 4, 5]
    assert await store.journal.read(TENANT, held.run_id, after=9) == []
    assert await store.journal.last(TENANT, held.run_id) == 9


async def test_the_journal_of_an_unknown_run_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.journal.read(TENANT, new_id())


@ALONE_OR_NOT
async def test_an_append_under_an_old_epoch_is_refused_and_writes_nothing(store: Store, extras: Extras | None) -> None:
    zombie, owner = await overtaken(store)
    with pytest.raises(LeaseLost, match=zombie.run_id):
        await store.journal.append(zombie, [event(1), event(2)], extras)
    assert await seqs_of(store, zombie.run_id) == [0]
    await store.journal.append(owner, [event(1)], extras)
    assert await seqs_of(store, zombie.run_id) == [0, 1]


async def test_an_append_is_refused_to_a_zombie_of_another_process(store: Store, other: Store) -> None:
    zombie = await running(store)
    await store.claims.settle(zombie, Release())
    await claim(other, zombie.run_id, BEN)
    with pytest.raises(LeaseLost):
        await store.journal.append(zombie, [event(1)])
    assert await seqs_of(other, zombie.run_id) == [0]


@ALONE_OR_NOT
@pytest.mark.parametrize("last", [Release(), park(), end(1)], ids=["released", "parked", "ended"])
async def test_an_append_after_the_claim_was_settled_is_refused(
    store: Store, last: object, extras: Extras | None
) -> None:
    held = await running(store)
    await store.claims.settle(held, last)  # type: ignore[arg-type]
    before = await seqs_of(store, held.run_id)
    with pytest.raises(LeaseLost):
        await store.journal.append(held, [event(len(before))], extras)
    assert await seqs_of(store, held.run_id) == before


@ALONE_OR_NOT
async def test_a_zombie_and_the_owner_that_append_at_once_are_told_apart(store: Store, extras: Extras | None) -> None:
    zombie, owner = await overtaken(store)
    results = await asyncio.gather(
        store.journal.append(zombie, [event(1, body=b'"zombie"')], extras),
        store.journal.append(owner, [event(1, body=b'"owner"')], extras),
        store.journal.append(zombie, [event(2, body=b'"zombie"')], extras),
        return_exceptions=True,
    )
    assert [type(r) for r in results] == [LeaseLost, type(None), LeaseLost]
    assert [e.value() for e in await journal_of(store, owner.run_id)][1:] == ["owner"]


async def test_one_fenced_append_among_many_fails_alone(store: Store) -> None:
    zombie, _ = await overtaken(store)
    claims = await many_running(store, 30)
    claims.insert(15, zombie)
    results = await asyncio.gather(*[store.journal.append(held, [event(1)]) for held in claims], return_exceptions=True)
    assert [type(r) for r in results].index(LeaseLost) == 15
    assert len(of_type(results, Exception)) == 1
    for held in claims:
        assert await seqs_of(store, held.run_id) == ([0] if held is zombie else [0, 1])


async def test_a_second_event_for_one_place_fails_alone_and_changes_nothing(store: Store) -> None:
    claims = await many_running(store, 10)
    bad = claims[4]
    await store.journal.append(bad, [event(1, body=b'"first"')])
    results = await asyncio.gather(
        *[store.journal.append(held, [event(1, body=b'"second"')]) for held in claims], return_exceptions=True
    )
    assert len(of_type(results, StoreError)) == 1
    assert isinstance(results[4], StoreError)
    assert not isinstance(results[4], LeaseLost)
    for held in claims:
        wanted = "first" if held is bad else "second"
        assert [e.value() for e in await journal_of(store, held.run_id)][1:] == [wanted]


async def test_events_appended_in_one_call_are_written_all_or_none(store: Store) -> None:
    held, neighbour = await many_running(store, 2)
    results = await asyncio.gather(
        store.journal.append(held, [event(1), event(2), event(2)]),
        store.journal.append(neighbour, [event(1), event(2)]),
        return_exceptions=True,
    )
    assert isinstance(results[0], StoreError)
    assert await seqs_of(store, held.run_id) == [0]
    assert await seqs_of(store, neighbour.run_id) == [0, 1, 2]


async def test_no_event_is_written_past_one_that_was_refused(store: Store) -> None:
    """Branches of a run append without waiting for each other: a hole would never be filled."""
    held = await running(store)
    results = await asyncio.gather(
        store.journal.append(held, [event(1), event(1)]),
        store.journal.append(held, [event(2)]),
        return_exceptions=True,
    )
    assert len(of_type(results, StoreError)) == 2
    assert await seqs_of(store, held.run_id) == [0]


async def test_a_read_ends_when_its_room_is_filled(store: Store) -> None:
    held = await running(store, input=b"1")
    for seq, size in enumerate((LARGE, 10, LARGE, LARGE, 10), 1):
        await store.journal.append(held, [event(seq, body=b'"%s"' % (b"x" * (size - 2)))])
    room = LARGE + 10

    async def read(run_id: str, after: int = -1, **more: Any) -> list[int]:
        return [each.seq for each in await store.journal.read(TENANT, run_id, after=after, room=room, **more)]

    forked = await store.runs.fork(TENANT, held.run_id, 4, new_id(), LATER)
    for run_id, last in ((held.run_id, 5), (forked.id, 5)):
        assert await read(run_id) == [0, 1, 2]
        assert await read(run_id, 2) == [3, 4]
        assert await read(run_id, 4) == [last]
        assert await read(run_id, last) == []
        assert await read(run_id, limit=2) == [0, 1]
    room = 0
    assert await read(held.run_id) == [], "nothing has no place"
    room = 1
    assert await read(held.run_id, 0) == [1], "at least one"
