"""What runs cost, by what they are and by who asked which model: the same however they came to their end."""

import pytest
from msgspec.structs import replace

from callboard.domain.bill import Bill
from callboard.domain.errors import LeaseLost
from callboard.domain.event import EventKind
from callboard.domain.run import RunStatus
from callboard.domain.usage import NOTHING, Usage
from callboard.store.claims import Claim, Release
from callboard.store.costs import Billed, Cost
from callboard.store.journal import Extras, Hold
from callboard.store.store import Store
from tests.conformance.store.charging import ONE, charge, refused
from tests.conformance.store.play import (
    ANNA,
    BEN,
    LATER,
    STRANGER,
    T0,
    TENANT,
    child_of,
    claim,
    end,
    event,
    many_running,
    new_id,
    park,
    running,
)

DAY = 86_400
SPENT = Usage(5, 4, 3, 2, 1, 6)
BILLED = Usage(5, 4, 3, 2)  # as it is summed for agents and models
TUESDAY, WEDNESDAY, THURSDAY = "2023-11-14", "2023-11-15", "2023-11-16"
NOW = T0 + 2 * DAY
WRITER = Bill(SPENT, "writer", "small", 1, 7, -2)


async def finish(store: Store, held: Claim, seq: int, late: int = 0, status: RunStatus = RunStatus.SUCCEEDED) -> None:
    last = end(seq, status)
    await store.claims.settle(held, replace(last, event=replace(last.event, at=last.event.at + late * 1_000_000)))


async def bills(store: Store, since: float = 0.0) -> list[Billed]:
    found = await store.costs.spending(TENANT, since, NOW)
    assert found.costs == await store.costs.runs(TENANT, since, NOW)
    return found.bills


def total(bills: list[Billed]) -> Bill:
    whole = Bill()
    for each in bills:
        whole += each.bill
    return whole


async def test_what_runs_cost_is_told_by_day_flow_and_end(store: Store) -> None:
    first, second, third, going = await many_running(store, 4)
    for held in (first, second, third, going):
        await store.journal.append(held, [event(1)], Extras(spent=SPENT))
    child = await child_of(store, third, 2)
    own = (await claim(store, child)).claim
    await store.journal.append(own, [event(1)], Extras(bills=(WRITER,)))
    await finish(store, first, 2)
    await finish(store, second, 2, 10)
    await finish(store, own, 2, DAY)
    await finish(store, third, 3, DAY, RunStatus.FAILED)
    tuesday = [Cost(TUESDAY, "order", "1", False, RunStatus.SUCCEEDED, 2, SPENT + SPENT)]
    wednesday = [
        Cost(WEDNESDAY, "order", "1", False, RunStatus.FAILED, 1, SPENT),
        Cost(WEDNESDAY, "order", "1", True, RunStatus.SUCCEEDED, 1, SPENT),
    ]
    today = [Cost(THURSDAY, "order", "1", False, RunStatus.RUNNING, 1, SPENT)]
    assert await store.costs.runs(TENANT, T0, NOW) == tuesday + wednesday + today
    assert await store.costs.runs(TENANT, T0 + DAY, NOW) == wednesday + today
    assert await store.costs.runs(STRANGER, 0.0, NOW) == []
    assert (await store.costs.spending(STRANGER, 0.0, NOW)).bills == []
    (billed,) = await bills(store, T0)
    bill = replace(WRITER, usage=BILLED)
    assert billed == Billed(WEDNESDAY, "order", RunStatus.SUCCEEDED, bill, 1, 1)


async def test_a_run_of_two_agents_and_two_models_is_counted_once_for_each(store: Store) -> None:
    going, done = await many_running(store, 2)
    pairs = (("writer", "small"), ("writer", "large"), ("critic", "small"), ("writer", "small"))
    for held in (going, done):
        for seq, (agent, model) in enumerate(pairs, 1):
            extras = Extras(bills=(Bill(SPENT, agent, model, 1),))
            await store.journal.append(held, [event(seq)], extras)
    await finish(store, done, 5)
    found = await bills(store)
    assert len(found) == 6
    for day in (TUESDAY, THURSDAY):
        those = [each for each in found if each.day == day]
        for name, of in (("agent", "of_agent"), ("model", "of_model")):
            counted: dict[str, int] = {}
            for each in those:
                key = getattr(each.bill, name)
                counted[key] = counted.get(key, 0) + getattr(each, of)
            assert set(counted.values()) == {1} and len(counted) == 2
        assert total(those).usage.cost == 4 * SPENT.cost
        assert {each.bill.calls for each in those if each.bill.agent == "critic"} == {1}
        assert {each.bill.calls for each in those if each.bill.model == "small"} == {1, 2}
    assert (await store.runs.get(TENANT, done.run_id)).usage == SPENT + SPENT + SPENT + SPENT


async def test_a_run_that_is_requeued_goes_on_until_it_ends_again(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1)], Extras(bills=(WRITER,)))
    await finish(store, held, 2, 0, RunStatus.FAILED)
    assert [(each.day, each.status) for each in await bills(store)] == [(TUESDAY, RunStatus.FAILED)]
    await store.runs.requeue(TENANT, held.run_id, "again", LATER)
    assert [(each.day, each.status) for each in await bills(store)] == [(THURSDAY, RunStatus.READY)]
    again = (await claim(store, held.run_id)).claim
    await store.journal.append(again, [event(4)], Extras(bills=(WRITER, replace(WRITER, model="large"))))
    await store.claims.settle(again, park())
    assert {each.status for each in await bills(store)} == {RunStatus.WAITING}
    await store.inbox.send(TENANT, held.run_id, "signal:go", b"null", LATER)
    await finish(store, (await claim(store, held.run_id)).claim, 5, DAY)
    found = await bills(store)
    assert {(each.day, each.status) for each in found} == {(WEDNESDAY, RunStatus.SUCCEEDED)}
    assert sorted(each.bill.calls for each in found) == [1, 2] and sum(each.of_agent for each in found) == 1


async def test_runs_that_are_blocked_dead_forked_or_purged(store: Store) -> None:
    blocked, forked, dead = await many_running(store, 3)
    for held in (blocked, forked, dead):
        await store.journal.append(held, [event(1)], Extras(bills=(WRITER,)))
    await finish(store, blocked, 2, 0, RunStatus.BLOCKED)
    await finish(store, forked, 2)
    await store.claims.register(BEN, T0)
    await store.claims.settle(dead, Release())
    await claim(store, dead.run_id, BEN)
    await store.claims.take_over(ANNA, -1.0, 1, LATER)  # a lease that nobody can have kept
    fork = await store.runs.fork(TENANT, forked.run_id, 1, new_id(), LATER)
    assert fork.usage == NOTHING  # what it begins with was paid by the other
    found = {each.status: each for each in await bills(store)}
    assert found[RunStatus.DEAD].bill.calls == 1
    assert found[RunStatus.BLOCKED].day == THURSDAY and found[RunStatus.SUCCEEDED].bill.calls == 1
    costs = {each.status: each for each in await store.costs.runs(TENANT, 0.0, NOW)}
    assert costs[RunStatus.BLOCKED].usage == SPENT and costs[RunStatus.READY].usage == NOTHING
    await finish(store, (await claim(store, fork.id)).claim, 3)
    for _ in range(2):  # the fork first
        await store.runs.purge(TENANT, before=T0 + 1e6, statuses=list(RunStatus), batch=10, blobs_before=0.0)
    assert RunStatus.SUCCEEDED not in {each.status for each in await bills(store)}


async def test_a_bill_is_written_with_its_events_or_not_at_all(store: Store) -> None:
    held = await running(store)
    late = replace(held, epoch=held.epoch - 1)
    with pytest.raises(LeaseLost):
        await store.journal.append(late, [event(1)], Extras(bills=(WRITER,)))
    assert await bills(store) == []
    hold = Hold("1:model", (charge(calls=0),), ONE, refused)
    told = await store.journal.append(held, [event(1, EventKind.INTENT, "1:model")], Extras(hold=hold, bills=(WRITER,)))
    assert told is not None  # there was no room, but what was lost before is paid
    assert total(await bills(store)).calls == 1
    assert (await store.runs.get(TENANT, held.run_id)).usage == SPENT
