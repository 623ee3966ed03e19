"""A start writes a run's row and its first event together, and a key makes one run."""

import asyncio

import pytest

from callboard.domain.errors import KeyConflict, NotFound, StoreError
from callboard.domain.event import EventKind
from callboard.domain.run import RunStatus
from callboard.store.runs import Started
from callboard.store.store import Store
from tests.conformance.store.play import STRANGER, TENANT, ended, journal_of, new_id, new_run, of_type, start


async def test_a_started_run_is_ready_and_its_first_event_holds_the_input(store: Store) -> None:
    new = new_run(input=b'{"order":7}', digest=b"12345678")
    assert await store.runs.start(new) == Started(new.id, True)
    (first,) = await journal_of(store, new.id)
    assert (first.seq, first.kind, first.path) == (0, EventKind.STARTED, "")
    assert (first.body, first.digest, first.at) == (b'{"order":7}', b"12345678", int(new.at * 1e6))
    assert (await store.runs.get(TENANT, new.id)).status is RunStatus.READY


async def test_a_run_keeps_what_it_was_started_with(store: Store) -> None:
    new = new_run(key="k", priority=3, labels={"team": "blue"}, depth=2, flow="pay", version="2.1")
    await store.runs.start(new)
    run = await store.runs.get(TENANT, new.id)
    assert (run.id, run.tenant, run.flow, run.version) == (new.id, TENANT, "pay", "2.1")
    assert (run.key, run.priority, run.labels, run.depth) == ("k", 3, {"team": "blue"}, 2)
    assert (run.created_at, run.finished_at, run.epoch, run.deaths) == (new.at, None, 0, 0)


async def test_a_start_that_returned_is_seen_by_every_store(store: Store, other: Store) -> None:
    run_id = await start(store)
    assert (await other.runs.get(TENANT, run_id)).id == run_id
    assert len(await journal_of(other, run_id)) == 1


async def test_one_key_with_one_input_is_one_run(store: Store) -> None:
    first = await store.runs.start(new_run(key="k"))
    again = await store.runs.start(new_run(key="k"))
    assert again == Started(first.run_id, False)
    assert await store.runs.counts(TENANT) == {RunStatus.READY: 1}


async def test_a_key_still_names_its_run_after_that_has_ended(store: Store) -> None:
    run_id = await ended(store, key="k")
    assert await store.runs.start(new_run(key="k")) == Started(run_id, False)


async def test_starts_of_one_key_at_the_same_time_make_one_run(store: Store) -> None:
    found = await asyncio.gather(*[store.runs.start(new_run(key="k")) for _ in range(20)])
    assert len({s.run_id for s in found}) == 1
    assert [s.created for s in found].count(True) == 1
    assert await store.runs.counts(TENANT) == {RunStatus.READY: 1}


async def test_two_processes_that_start_the_same_keys_at_once_make_each_run_once(store: Store, other: Store) -> None:
    keys = [f"order-{n}" for n in range(40)]
    starts = [at.runs.start(new_run(key=key)) for key in keys for at in (store, other)]
    found = await asyncio.gather(*starts)
    for mine, theirs in zip(found[::2], found[1::2], strict=True):
        assert mine.run_id == theirs.run_id
        assert mine.created != theirs.created
    assert await store.runs.counts(TENANT) == {RunStatus.READY: 40}


async def test_a_key_that_comes_with_another_input_is_refused(store: Store) -> None:
    run_id = await start(store, key="k", digest=b"first...")
    with pytest.raises(KeyConflict, match=run_id):
        await store.runs.start(new_run(key="k", digest=b"second.."))
    assert await store.runs.counts(TENANT) == {RunStatus.READY: 1}


async def test_a_key_that_comes_with_two_inputs_at_once_is_refused_to_the_later(store: Store) -> None:
    first, second = new_run(key="k", digest=b"first..."), new_run(key="k", digest=b"second..")
    results = await asyncio.gather(store.runs.start(first), store.runs.start(second), return_exceptions=True)
    assert results[0] == Started(first.id, True)
    assert isinstance(results[1], KeyConflict)
    with pytest.raises(NotFound):
        await store.runs.get(TENANT, second.id)


@pytest.mark.parametrize("scope", [{"tenant": STRANGER}, {"flow": "refund"}])
async def test_a_key_belongs_to_one_flow_of_one_tenant(store: Store, scope: dict[str, str]) -> None:
    await store.runs.start(new_run(key="k", digest=b"first..."))
    elsewhere = await store.runs.start(new_run(key="k", digest=b"second..", **scope))
    assert elsewhere.created


async def test_runs_without_a_key_are_never_the_same(store: Store) -> None:
    found = await asyncio.gather(*[store.runs.start(new_run()) for _ in range(5)])
    assert len({s.run_id for s in found}) == 5


async def test_a_start_that_cannot_be_written_fails_alone_and_leaves_nothing(store: Store) -> None:
    taken = new_id()
    news = [new_run(), new_run(id=taken, input=b'"mine"'), new_run(id=taken, input=b'"theirs"'), new_run()]
    results = await asyncio.gather(*[store.runs.start(n) for n in news], return_exceptions=True)
    assert [isinstance(r, Started) for r in results] == [True, True, False, True]
    assert len(of_type(results, StoreError)) == 1
    assert [e.body for e in await journal_of(store, taken)] == [b'"mine"']
    assert await store.runs.counts(TENANT) == {RunStatus.READY: 3}
