"""A store that is opened as a door does all that doors do, for one tenant at a time, whoever logs in."""

import asyncio
import hashlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from callboard.domain.budget import ZERO, Balance
from callboard.domain.errors import CallboardError, NotFound, StoreError
from callboard.domain.run import RunStatus
from callboard.store.answers import Answers
from callboard.store.approvals import Approvals, ApprovalStatus
from callboard.store.blobs import Blobs
from callboard.store.budgets import Budgets
from callboard.store.controls import Control, Scope
from callboard.store.costs import Costs
from callboard.store.deliveries import Deliveries, DeliveryStatus
from callboard.store.inbox import Inbox
from callboard.store.journal import Journal
from callboard.store.postgres import PostgresStore
from callboard.store.runs import Runs, Search
from callboard.store.schedules import Schedule, Schedules
from callboard.store.sessions import Meanwhile, NewTurn, Sessions
from tests.conformance.store.charging import ONE, charge, limit
from tests.conformance.store.play import (
    ANNA,
    FLOWS,
    LATER,
    STRANGER,
    T0,
    TENANT,
    asked,
    end,
    new_id,
    new_run,
    park,
    send,
)
from tests.conformance.store.talking import session
from tests.conformance.store.test_tenants import REFUSED
from tests.fleet.tenancy import BODY, Tenancy

LOGINS = ["owner", "worker", "door"]
FAR = 4_000_000_000.0


@pytest.fixture(params=LOGINS)
async def door(request: pytest.FixtureRequest, tenancy: Tenancy) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(getattr(tenancy.home, request.param), door=True)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def worker(tenancy: Tenancy) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(tenancy.home.worker)
    await store.open()
    yield store
    await store.close()


async def test_a_store_that_is_a_door_is_bound_whoever_logs_in(door: PostgresStore) -> None:
    database = door._database
    for use in (database.transaction, database.reading):
        async with use(TENANT) as db:
            assert await db.fetchval("SELECT current_user") == "callboard_door"
            assert [row[0] for row in await db.fetch("SELECT tenant FROM runs")] == [TENANT]
        async with use(STRANGER) as db:
            assert [row[0] for row in await db.fetch("SELECT tenant FROM runs")] == [STRANGER]
    with pytest.raises(CallboardError):
        async with database.acquire():
            pass


async def test_a_door_starts_runs_alone_and_by_key_for_several_tenants_at_once(door: PostgresStore) -> None:
    news = [new_run(tenant=tenant, key=f"k{n % 3}") for n in range(6) for tenant in (TENANT, STRANGER)]
    done = await asyncio.gather(*[door.runs.start(new) for new in news])
    assert [s.created for s in done].count(True) == 6
    for new, started in zip(news, done, strict=True):
        assert (await door.runs.get(new.tenant, started.run_id)).tenant == new.tenant
        assert [e.body for e in await door.journal.read(new.tenant, started.run_id)] == [new.input]


async def blocked_run(worker: PostgresStore) -> tuple[str, str]:
    """A blocked run of TENANT with a large payload and an open question."""
    run_id = (await worker.runs.start(new_run(input=BODY, priority=9, key="blocked"))).run_id
    (found,) = await worker.claims.claim(ANNA, FLOWS, 1, LATER)
    assert found.run.id == run_id
    question = await asked(worker, found.claim)
    await worker.claims.settle(found.claim, end(2, RunStatus.BLOCKED))
    return run_id, question


HASH = hashlib.sha256(BODY).hexdigest()
NIGHTLY = Schedule(tenant=TENANT, name="mine", flow="order", cron="* * * * *", next_at=T0)

# Each method for doors, with what it is expected to say about the run, the question and the payload of its tenant.
DOORS: dict[str, Callable[[PostgresStore, str, str], Awaitable[Any]]] = {
    "runs.start": lambda s, *_: s.runs.start(new_run()),
    "runs.get": lambda s, run, _: s.runs.get(TENANT, run),
    "runs.find": lambda s, *_: s.runs.find(TENANT),
    "runs.counts": lambda s, *_: s.runs.counts(TENANT),
    "runs.rows": lambda s, run, _: s.runs.rows(TENANT, [run]),
    "runs.by_key": lambda s, *_: s.runs.by_key(TENANT, "order", ["blocked"]),
    "runs.outcomes": lambda s, run, _: s.runs.outcomes(TENANT, [f"{TENANT}-done", run]),
    "costs.runs": lambda s, *_: s.costs.runs(TENANT, 0.0, LATER),
    "costs.spending": lambda s, *_: s.costs.spending(TENANT, 0.0, LATER),
    "runs.requeue": lambda s, run, _: s.runs.requeue(TENANT, run, "again", LATER),
    "runs.fork": lambda s, run, _: s.runs.fork(TENANT, run, 0, new_id(), LATER),
    "runs.search": lambda s, run, _: s.runs.search(TENANT, Search(text=run)),
    "runs.totals": lambda s, run, _: s.runs.totals(TENANT, Search(text=run)),
    "runs.reach": lambda s, *_: s.runs.reach(TENANT, Search(among=1)),
    "journal.read": lambda s, run, _: s.journal.read(TENANT, run),
    "journal.last": lambda s, run, _: s.journal.last(TENANT, run),
    "journal.news": lambda s, run, _: s.journal.news(TENANT, {run: -1}, 9),
    "sessions.create": lambda s, *_: s.sessions.create(session(id="mine")),
    "sessions.get": lambda s, *_: s.sessions.get(TENANT, f"{TENANT}-talk"),
    "sessions.find": lambda s, *_: s.sessions.find(TENANT),
    "sessions.add": lambda s, *_: s.sessions.add(
        TENANT, f"{TENANT}-talk", NewTurn(id="next", message="and?", at=LATER), Meanwhile.REPLACE
    ),
    "sessions.started": lambda s, *_: s.sessions.started(TENANT, f"{TENANT}-turn", ()),
    "sessions.turn": lambda s, *_: s.sessions.turn(TENANT, f"{TENANT}-turn"),
    "sessions.turns": lambda s, *_: s.sessions.turns(TENANT, f"{TENANT}-talk"),
    "sessions.path": lambda s, *_: s.sessions.path(TENANT, f"{TENANT}-turn"),
    "deliveries.find": lambda s, *_: s.deliveries.find(TENANT),
    "deliveries.signing": lambda s, *_: s.deliveries.signing(TENANT),
    "deliveries.rotate": lambda s, *_: s.deliveries.rotate(TENANT, LATER),
    "inbox.send": lambda s, run, _: s.inbox.send(TENANT, run, "signal:a", b"null", LATER),
    "approvals.get": lambda s, _, question: s.approvals.get(TENANT, question),
    "approvals.find": lambda s, run, _: s.approvals.find(TENANT, run_id=run),
    "approvals.decide": lambda s, _, question: s.approvals.decide(
        TENANT, question, ApprovalStatus.APPROVED, b"1", "mia", LATER
    ),
    "blobs.get": lambda s, *_: s.blobs.get(TENANT, HASH),
    "schedules.put": lambda s, *_: s.schedules.put(NIGHTLY),
    "schedules.get": lambda s, *_: s.schedules.get(TENANT, "nightly"),
    "schedules.find": lambda s, *_: s.schedules.find(TENANT),
    "schedules.pause": lambda s, *_: s.schedules.pause(TENANT, "nightly", True),
    "schedules.remove": lambda s, *_: s.schedules.remove(TENANT, "nightly"),
    "schedules.advance": lambda s, *_: s.schedules.advance(
        Schedule(tenant=TENANT, name="nightly", flow="order", cron="", next_at=T0), T0 + 60, "x"
    ),
    "budgets.balances": lambda s, *_: s.budgets.balances(TENANT, ["tenant"]),
    "budgets.accounts": lambda s, *_: s.budgets.accounts(TENANT),
}
# Take a tenant, and are done by a worker's user: they delete history, allow more, or give away what models answered.
WORKERS: dict[str, Callable[[PostgresStore], Awaitable[Any]]] = {
    "runs.purge": lambda s: s.runs.purge(TENANT, before=FAR, statuses=list(RunStatus), batch=9, blobs_before=FAR),
    "budgets.remove": lambda s: s.budgets.remove(TENANT, "agent", "writer", "day"),
    "answers.get": lambda s: s.answers.get(TENANT, b"question", 0.0),
    "answers.put": lambda s: s.answers.put(TENANT, b"question", b"1", LATER),
    "answers.forget": lambda s: s.answers.forget(TENANT, FAR),
    "deliveries.settle": lambda s: s.deliveries.settle(TENANT, "x", DeliveryStatus.DONE, LATER, ""),
}
SAYS_NOTHING = {"schedules.put"}
EMPTY = {"runs.outcomes"}  # the run is blocked: it has none


@pytest.mark.parametrize("method", DOORS)
async def test_each_method_for_doors_works_as_a_door(worker: PostgresStore, door: PostgresStore, method: str) -> None:
    run_id, question = await blocked_run(worker)
    told = await DOORS[method](door, run_id, question)
    assert bool(told) != (method in SAYS_NOTHING | EMPTY), told


@pytest.mark.parametrize("method", WORKERS)
async def test_what_workers_do_is_refused_to_a_door(door: PostgresStore, method: str) -> None:
    with pytest.raises(StoreError):
        await WORKERS[method](door)


async def test_a_door_reads_accounts_and_sets_no_limits(worker: PostgresStore, door: PostgresStore) -> None:
    assert await door.budgets.balances(TENANT, ["tenant"]) == {"tenant": Balance(ZERO, ONE)}
    assert list(await door.budgets.accounts(STRANGER)) == ["tenant"]
    with pytest.raises(StoreError):
        await door.budgets.put(limit(tenant=TENANT, by="nobody"))
    with pytest.raises(CallboardError):
        await door.budgets.sweep()
    assert await door.budgets.limits() == []
    assert {each.by for each in await worker.budgets.limits()} == {"mia"}


async def test_a_run_that_a_door_starts_may_be_charged(door: PostgresStore) -> None:
    started = await door.runs.start(new_run(charges=(charge(calls=1),)))
    assert (await door.runs.get(TENANT, started.run_id)).charges == (charge(calls=1),)


@pytest.mark.parametrize("method", REFUSED)
async def test_what_belongs_to_another_tenant_is_not_found(
    worker: PostgresStore, door: PostgresStore, method: str
) -> None:
    run_id, question = await blocked_run(worker)
    with pytest.raises(NotFound):
        await REFUSED[method](door, run_id, question)


def test_every_method_for_doors_is_tried_here() -> None:
    rooms: dict[str, type] = {
        "runs": Runs, "journal": Journal, "inbox": Inbox, "approvals": Approvals, "blobs": Blobs,
        "schedules": Schedules, "budgets": Budgets, "answers": Answers, "sessions": Sessions, "deliveries": Deliveries,
        "costs": Costs,
    }  # fmt: skip
    by_tenant = {
        f"{room}.{name}"
        for room, protocol in rooms.items()
        for name, method in inspect.getmembers(protocol, inspect.isfunction)
        if not name.startswith("_")
        and {"tenant", "new", "schedule", "session"} & inspect.signature(method).parameters.keys()
    }
    assert by_tenant == {*DOORS, *WORKERS}


async def test_a_requeued_run_and_a_decision_reach_the_worker(worker: PostgresStore, door: PostgresStore) -> None:
    run_id, question = await blocked_run(worker)
    assert await door.approvals.decide(TENANT, question, ApprovalStatus.APPROVED, b"1", "mia", LATER) == (
        run_id,
        RunStatus.BLOCKED,
    )
    await door.runs.requeue(TENANT, run_id, "mended", LATER)
    fork = await door.runs.fork(TENANT, run_id, 0, new_id(), LATER)
    found = {c.run.id: c for c in await worker.claims.claim(ANNA, FLOWS, 9, LATER)}
    assert [e.seq for e in found[run_id].events] == [0, 1, 2, 3]
    assert [x.name for x in found[run_id].letters] == ["decision:1:refund"]
    assert [e.seq for e in found[fork.id].events] == [0, 1]
    assert found[fork.id].events[0].body == BODY


async def test_a_letter_of_a_door_wakes_a_run_that_waits(worker: PostgresStore, door: PostgresStore) -> None:
    await worker.runs.start(new_run(id="waits", priority=9))
    (found,) = await worker.claims.claim(ANNA, FLOWS, 1, LATER)
    await worker.claims.settle(found.claim, park())
    assert await send(door, "waits") is RunStatus.READY


async def test_a_door_reads_controls_and_does_not_set_them(door: PostgresStore) -> None:
    assert [c.name for c in await door.controls.all()] == [TENANT, STRANGER]
    with pytest.raises(StoreError):
        await door.controls.put(Control(scope=Scope.TENANT, name=STRANGER, paused=True))
    with pytest.raises(StoreError):
        await door.controls.remove(Scope.TENANT, STRANGER)


async def test_a_door_does_not_purge(worker: PostgresStore, door: PostgresStore) -> None:
    with pytest.raises(StoreError, match="may not purge"):
        await door.runs.purge(TENANT, before=FAR, statuses=list(RunStatus), batch=9, blobs_before=FAR)
    assert await worker.runs.counts(TENANT)


async def test_a_door_claims_nothing(door: PostgresStore) -> None:
    with pytest.raises(CallboardError):
        await door.claims.claim(ANNA, FLOWS, 1, LATER)


async def test_the_doctor_reads_facts_as_a_door(door: PostgresStore) -> None:
    facts = await door.check()
    assert facts["store"].startswith("postgresql://")
    assert "1 before, 2 before" in facts["schema"]


async def test_every_door_knows_how_much_is_waiting_over_all_tenants(door: PostgresStore, tenancy: Tenancy) -> None:
    workers = PostgresStore(tenancy.home.worker)
    await workers.open()
    try:
        for tenant in (TENANT, TENANT, STRANGER):
            await workers.runs.start(new_run(tenant=tenant))
        assert await door.claims.backlog() == await workers.claims.backlog()
        assert (await door.claims.backlog()).ready >= 3
    finally:
        await workers.close()
