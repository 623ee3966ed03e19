"""What people and clean-up do to one run at the same moment: one of them is first, and nothing is torn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import asyncpg
import pytest

from callboard.domain.errors import Conflict, NotFound
from callboard.domain.event import EventKind
from callboard.domain.run import ENDED, RunStatus
from callboard.store.approvals import ApprovalStatus
from callboard.store.postgres import PostgresStore
from callboard.store.runs import Purge
from tests.conformance.store.play import (
    ANNA,
    LATER,
    T0,
    TENANT,
    asked,
    decide,
    end,
    ended,
    journal_of,
    many_running,
    new_id,
    new_run,
    status_of,
)
from tests.conformance.store.postgres_home import PostgresHome

ROUNDS = 60
FAR = 4_000_000_000.0


@pytest.fixture
async def stores(postgres_home: PostgresHome) -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    postgres_home.empty()
    pair = PostgresStore(postgres_home.worker), PostgresStore(postgres_home.worker)
    for store in pair:
        await store.open()
    await pair[0].claims.register(ANNA, T0)
    yield pair
    for store in pair:
        await store.close()


async def purge(store: PostgresStore, batch: int = 1) -> Purge:
    return await store.runs.purge(TENANT, before=FAR, statuses=sorted(ENDED), batch=batch, blobs_before=T0)


async def both(*moves: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*moves, return_exceptions=True)


async def test_a_run_is_passed_over_while_a_fork_of_it_is_made(
    stores: tuple[PostgresStore, PostgresStore], postgres_home: PostgresHome
) -> None:
    store, other = stores
    run_id = await ended(store)
    db = await asyncpg.connect(postgres_home.owner)
    try:
        async with db.transaction():
            await db.execute("SELECT 1 FROM runs WHERE id = $1 FOR KEY SHARE", run_id)
            async with asyncio.timeout(60):
                assert (await purge(other)).runs == 0
    finally:
        await db.close()
    assert (await purge(other)).runs == 1


async def test_a_fork_has_its_history_or_is_not_made(stores: tuple[PostgresStore, PostgresStore]) -> None:
    store, other = stores
    made = gone = 0
    for _ in range(ROUNDS):
        run_id, new = await ended(store), new_id()
        forked, purged = await both(store.runs.fork(TENANT, run_id, 0, new, LATER), purge(other))
        assert isinstance(purged, Purge)
        if isinstance(forked, NotFound):
            gone += 1
            assert purged.runs == 1
            continue
        made += 1
        assert purged.runs == 0
        assert [e.kind for e in await journal_of(store, new)] == [EventKind.STARTED, EventKind.FORKED]
        (found,) = await store.claims.claim(ANNA, ["order@1"], 9, LATER)
        assert [e.seq for e in found.events] == [0, 1]
        await store.claims.settle(found.claim, end(2))
        while (await purge(store, 9)).runs:
            pass
    assert made + gone == ROUNDS


async def test_a_requeued_run_is_whole_or_gone(stores: tuple[PostgresStore, PostgresStore]) -> None:
    store, other = stores
    for _ in range(ROUNDS):
        run_id = await ended(store, RunStatus.FAILED)
        run, purged = await both(store.runs.requeue(TENANT, run_id, "", LATER), purge(other))
        if isinstance(run, NotFound):
            assert purged.runs == 1
            continue
        assert purged.runs == 0
        (found,) = await store.claims.claim(ANNA, ["order@1"], 9, LATER)
        assert [e.kind for e in found.events] == [EventKind.STARTED, EventKind.RUN_FAILED, EventKind.REQUEUED]
        await store.claims.settle(found.claim, end(3))
        assert (await purge(store)).runs == 1


async def test_of_two_requeues_one_is_told_of_a_conflict(stores: tuple[PostgresStore, PostgresStore]) -> None:
    ids = [await ended(stores[0], RunStatus.FAILED) for _ in range(10)]
    done = await both(*[s.runs.requeue(TENANT, run_id, "", LATER) for run_id in ids for s in stores])
    for n, run_id in enumerate(ids):
        assert [type(d) for d in done[2 * n : 2 * n + 2]].count(Conflict) == 1
        assert [e.seq for e in await journal_of(stores[0], run_id)] == [0, 1, 2]


async def test_a_decision_and_the_end_of_its_run_agree(stores: tuple[PostgresStore, PostgresStore]) -> None:
    store, other = stores
    claims = await many_running(store, ROUNDS)
    questions = [await asked(store, held) for held in claims]
    done = await both(
        *[
            move
            for held, question in zip(claims, questions, strict=True)
            for move in (decide(other, question), store.claims.settle(held, end(2)))
        ]
    )
    for n, (held, question) in enumerate(zip(claims, questions, strict=True)):
        decided, settled = done[2 * n : 2 * n + 2]
        assert settled.done
        assert await status_of(store, held.run_id) is RunStatus.SUCCEEDED
        stands = (await store.approvals.get(TENANT, question)).status
        assert stands is (ApprovalStatus.WITHDRAWN if isinstance(decided, Conflict) else ApprovalStatus.APPROVED)
        assert isinstance(decided, Conflict | tuple)


async def test_two_purges_and_payloads_in_use_do_not_get_into_each_others_way(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    store, other = stores
    body = b'"%s"' % (b"x" * 20_000)
    for _ in range(20):
        await ended(store, input=body)
    done = await both(
        *[purge(s, 3) for s in (store, other) for _ in range(5)],
        *[store.runs.start(new_run(input=body, at=LATER)) for _ in range(10)],
    )
    assert sum(d.runs for d in done if isinstance(d, Purge)) == 20
    assert not [d for d in done if isinstance(d, BaseException)]
    for run in await store.runs.find(TENANT):
        assert [e.body for e in await journal_of(store, run.id)] == [body]
