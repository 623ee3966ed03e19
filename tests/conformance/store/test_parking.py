"""A run parks only when it has seen every letter, and wakes for each later one and when its time has come."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from callboard.domain.errors import LeaseLost
from callboard.domain.run import RunStatus
from callboard.store.claims import Claim, Outlook, Settled
from callboard.store.store import Store
from tests.conformance.store.play import (
    ANNA,
    BEN,
    FLOWS,
    LATER,
    T0,
    TENANT,
    child_of,
    claim,
    end,
    letters,
    many_running,
    overtaken,
    park,
    running,
    send,
    start,
    status_of,
    waiting,
)


async def test_a_parked_run_waits_and_nobody_owns_it(store: Store) -> None:
    held = await running(store)
    assert await store.claims.settle(held, park(0, T0 + 60)) == Settled(True)
    run = await store.runs.get(TENANT, held.run_id)
    assert (run.status, run.wake_at) == (RunStatus.WAITING, T0 + 60)
    assert (await store.claims.outlook(ANNA)).inboxes == {}


async def test_parking_is_refused_when_a_letter_came_that_the_owner_has_not_seen(store: Store) -> None:
    held = await running(store)
    await send(store, held.run_id)
    assert await store.claims.settle(held, park(0)) == Settled(False)
    assert await status_of(store, held.run_id) is RunStatus.RUNNING
    assert await store.claims.settle(held, park(1)) == Settled(True)


async def test_parking_is_refused_to_one_who_lost_the_run(store: Store) -> None:
    zombie, owner = await overtaken(store)
    with pytest.raises(LeaseLost):
        await store.claims.settle(zombie, park())
    assert await status_of(store, owner.run_id) is RunStatus.RUNNING


async def test_a_run_cannot_be_parked_twice_under_one_claim(store: Store) -> None:
    held = await waiting(store)
    with pytest.raises(LeaseLost):
        await store.claims.settle(held, park())


async def test_many_runs_that_park_at_once_are_answered_each_for_itself(store: Store) -> None:
    zombie, _ = await overtaken(store)
    quiet, told, timed = await many_running(store, 3)
    await send(store, told.run_id)
    results = await asyncio.gather(
        *[
            store.claims.settle(held, end)
            for held, end in ((zombie, park()), (quiet, park()), (told, park()), (timed, park(0, T0 + 5)))
        ],
        return_exceptions=True,
    )
    assert isinstance(results[0], LeaseLost)
    assert results[1:] == [Settled(True), Settled(False), Settled(True)]
    assert (await store.runs.get(TENANT, timed.run_id)).wake_at == T0 + 5


async def test_a_letter_sent_in_the_same_moment_as_the_run_parks_is_not_lost(store: Store) -> None:
    claims = await many_running(store, 60)
    results = await asyncio.gather(
        *[
            store.claims.settle(held, park()) if turn else send(store, held.run_id)
            for n, held in enumerate(claims)
            for turn in (n % 2, 1 - n % 2)
        ]
    )
    settled = [r for r in results if isinstance(r, Settled)]
    for held, parked in zip(claims, settled, strict=True):
        wanted = RunStatus.READY if parked.done else RunStatus.RUNNING
        assert await status_of(store, held.run_id) is wanted


async def test_no_letter_of_another_process_is_lost_while_runs_park(store: Store, other: Store) -> None:
    claims = await many_running(store, 400)
    chance = random.Random(7)

    async def meet(n: int, held: Claim) -> Settled:
        """One of four parks before the letter comes, one after it, and two in the same moment."""
        if n % 4 == 0:
            parked = await store.claims.settle(held, park())
            await send(other, held.run_id)
            return parked
        if n % 4 == 1:
            await send(other, held.run_id)
            return await store.claims.settle(held, park())
        parking, sending = at_some_moment(store.claims.settle, held, park()), at_some_moment(send, other, held.run_id)
        return (await asyncio.gather(parking, sending))[0]

    async def at_some_moment(move: Callable[..., Awaitable[Any]], *args: object) -> Any:
        await asyncio.sleep(chance.random() * 0.03)
        return await move(*args)

    parked = await asyncio.gather(*[meet(n, held) for n, held in enumerate(claims)])
    for held, settled in zip(claims, parked, strict=True):
        if not settled.done:  # the owner was told, goes on, and finds the letter
            assert len(await letters(store, held)) == 1
    woken = {c.run.id: c for c in await store.claims.claim(ANNA, FLOWS, 400, LATER)}
    assert woken.keys() == {c.run_id for c, settled in zip(claims, parked, strict=True) if settled.done}
    assert all(len(c.letters) == 1 for c in woken.values())
    assert 100 <= len(woken) <= 300


async def test_no_child_that_ends_in_another_process_is_missed_while_its_parent_parks(
    store: Store, other: Store
) -> None:
    parents = await many_running(store, 100)
    for parent in parents:
        await child_of(store, parent, 1)
    children = {c.run.parent: c.claim for c in await other.claims.claim(BEN, FLOWS, 100, LATER)}
    chance = random.Random(11)

    async def after(pause: float, store: Store, *args: object) -> Settled:
        await asyncio.sleep(pause)
        return await store.claims.settle(*args)  # type: ignore[arg-type]

    moves = []
    for parent in parents:
        moves.append(after(chance.random() * 0.02, store, parent, park()))
        moves.append(after(chance.random() * 0.02, other, children[parent.run_id], end(1, notice=b"{}")))
    settled = await asyncio.gather(*moves)
    for parent, parked, child in zip(parents, settled[::2], settled[1::2], strict=True):
        if parked.done:
            assert await status_of(store, parent.run_id) is RunStatus.READY
            assert child.woken == (parent.run_id,)
        else:
            assert len(await letters(store, parent)) == 1
            assert child.woken == ()


async def test_a_waiting_run_is_ready_when_its_time_has_come(store: Store) -> None:
    held = await waiting(store, wake_at=T0 + 60)
    assert await store.claims.wake_due(T0 + 59, 10) == 0
    assert await store.claims.wake_due(T0 + 60, 10) == 1
    run = await store.runs.get(TENANT, held.run_id)
    assert (run.status, run.wake_at) == (RunStatus.READY, None)
    assert await store.claims.wake_due(LATER, 10) == 0


async def test_a_run_that_waits_for_a_letter_alone_is_not_woken_by_time(store: Store) -> None:
    held = await waiting(store)
    assert await store.claims.wake_due(LATER, 10) == 0
    assert await status_of(store, held.run_id) is RunStatus.WAITING


async def test_due_runs_are_woken_earliest_first_and_not_more_than_asked_for(store: Store) -> None:
    late, early, middle = [await waiting(store, wake_at=T0 + s) for s in (30, 10, 20)]
    assert await store.claims.wake_due(LATER, 2) == 2
    assert await status_of(store, late.run_id) is RunStatus.WAITING
    assert await status_of(store, early.run_id) is RunStatus.READY
    assert await status_of(store, middle.run_id) is RunStatus.READY


async def test_a_letter_ends_the_wait_and_its_time_limit(store: Store) -> None:
    held = await waiting(store, wake_at=T0 + 60)
    assert await send(store, held.run_id) is RunStatus.READY
    again = await claim(store, held.run_id)
    assert again.run.wake_at is None
    assert (await store.claims.settle(again.claim, park(1))).done
    assert await store.claims.wake_due(LATER, 10) == 0


async def outlook(store: Store) -> Outlook:
    """What Anna sees, whatever time it is there."""
    return structs.replace(await store.claims.outlook(ANNA), now=None)


async def test_the_outlook_tells_what_there_is_to_do(store: Store) -> None:
    assert await outlook(store) == Outlook(0, 0, None, {}, 1)
    mine = await running(store)
    await running(store, BEN)
    for _ in range(2):
        await send(store, mine.run_id)
    await waiting(store, wake_at=T0 + 90)
    await waiting(store, wake_at=T0 + 30)
    await start(store)
    await start(store)
    assert await outlook(store) == Outlook(2, 0, T0 + 30, {mine.run_id: 2}, 2)
