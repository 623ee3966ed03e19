"""Business rows and an event in one transaction: both or neither, in the run's order, under its fence."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from callboard.domain.errors import LeaseLost
from callboard.domain.event import Event, EventKind
from callboard.store.store import Store
from tests.conformance.store.adapters import Adapter
from tests.conformance.store.play import event, journal_of, overtaken, running, seqs_of

LIMIT = 5.0


def outcome(seq: int) -> Callable[[Any], Event]:
    def of(result: Any) -> Event:
        if isinstance(result, BaseException):
            return event(seq, EventKind.FAILED, body=b'"failed"')
        return event(seq, body=b'"%s"' % str(result).encode())

    return of


@pytest.fixture
async def ledger(adapter: Adapter, store: Store) -> Any:
    """The adapter's way to a table of the user's own in the same database: `write` and `notes`."""
    return await adapter.ledger(store)


async def test_rows_and_event_are_written_together(store: Store, ledger: Any) -> None:
    held = await running(store)
    assert await store.journal.transact(held, 1, ledger.write("rent"), outcome(1), limit=LIMIT) == "rent"
    assert await ledger.notes() == ["rent"]
    assert [e.body for e in await journal_of(store, held.run_id)][1:] == [b'"rent"']


async def test_when_the_function_raises_only_its_failure_is_written(store: Store, ledger: Any) -> None:
    held = await running(store)
    with pytest.raises(ZeroDivisionError):
        await store.journal.transact(held, 1, ledger.write("rent", ZeroDivisionError()), outcome(1), limit=LIMIT)
    assert await ledger.notes() == []
    assert [e.kind for e in await journal_of(store, held.run_id)][1:] == [EventKind.FAILED]
    await store.journal.append(held, [event(2)])
    assert await seqs_of(store, held.run_id) == [0, 1, 2]


async def test_a_statement_that_fails_is_the_functions_own_failure(store: Store, ledger: Any) -> None:
    held = await running(store)
    await store.journal.transact(held, 1, ledger.write("rent"), outcome(1), limit=LIMIT)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.journal.transact(held, 2, ledger.write("rent"), outcome(2), limit=LIMIT)
    assert await ledger.notes() == ["rent"]
    assert await seqs_of(store, held.run_id) == [0, 1, 2]


async def test_an_event_that_cannot_be_made_undoes_the_rows(store: Store, ledger: Any) -> None:
    held = await running(store)

    def picky(result: Any) -> Event:
        if not isinstance(result, BaseException):
            raise TypeError("not JSON")
        return event(1, EventKind.FAILED, body=b'"failed"')

    with pytest.raises(TypeError):
        await store.journal.transact(held, 1, ledger.write("rent"), picky, limit=LIMIT)
    assert await ledger.notes() == []
    assert [e.kind for e in await journal_of(store, held.run_id)][1:] == [EventKind.FAILED]


async def test_a_zombie_writes_neither_rows_nor_event(store: Store, ledger: Any) -> None:
    zombie, owner = await overtaken(store)
    with pytest.raises(LeaseLost):
        await store.journal.transact(zombie, 1, ledger.write("rent"), outcome(1), limit=LIMIT)
    assert await ledger.notes() == []
    assert await seqs_of(store, owner.run_id) == [0]


async def test_it_takes_its_place_among_the_appends_around_it(store: Store, ledger: Any) -> None:
    held = await running(store)
    written = [
        store.journal.append(held, [event(1)]),
        store.journal.transact(held, 2, ledger.write("one"), outcome(2), limit=LIMIT),
        store.journal.append(held, [event(3)]),
        store.journal.transact(held, 4, ledger.write("two"), outcome(4), limit=LIMIT),
        store.journal.append(held, [event(5)]),
    ]
    await asyncio.gather(*written)
    assert await seqs_of(store, held.run_id) == [0, 1, 2, 3, 4, 5]
    assert await ledger.notes() == ["one", "two"]


async def test_many_runs_transact_at_once(store: Store, ledger: Any) -> None:
    held = [await running(store) for _ in range(20)]
    await asyncio.gather(
        *(
            store.journal.transact(claim, 1, ledger.write(f"note {n:02}"), outcome(1), limit=LIMIT)
            for n, claim in enumerate(held)
        )
    )
    assert await ledger.notes() == [f"note {n:02}" for n in range(20)]
    for claim in held:
        assert await seqs_of(store, claim.run_id) == [0, 1]
