"""No door shows, changes or counts what belongs to another tenant; not even that it exists."""

import hashlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from callboard.domain.errors import NotFound
from callboard.domain.run import RunStatus
from callboard.domain.usage import NOTHING
from callboard.store.answers import Answers
from callboard.store.approvals import Approvals, ApprovalStatus
from callboard.store.blobs import Blobs
from callboard.store.budgets import Budgets
from callboard.store.costs import Costs, Spending
from callboard.store.deliveries import Deliveries, Signing
from callboard.store.inbox import Inbox
from callboard.store.journal import Journal
from callboard.store.runs import Runs, Search, Totals
from callboard.store.sessions import Meanwhile, NewTurn, Session, Sessions
from callboard.store.store import Store
from tests.conformance.store.charging import charge, limit, reserve
from tests.conformance.store.play import (
    LATER,
    STRANGER,
    TENANT,
    asked,
    child_of,
    end,
    ended,
    journal_of,
    new_id,
    new_run,
    running,
)

BODY = b'"%s"' % (b"secret" * 5_000)
HASH = hashlib.sha256(BODY).hexdigest()
KEY = "the key of TENANT's run"
FAR = 4_000_000_000.0
NEXT = NewTurn(id="next", message="and?", at=LATER)


async def totals(store: Store, run_id: str) -> bool:
    found = await store.runs.totals(STRANGER, Search(text=run_id))
    return found != Totals({}, {}, NOTHING)


async def unsigned(store: Store) -> bool:
    return await store.deliveries.signing(STRANGER) != Signing()


async def hidden_costs(store: Store) -> bool:
    return await store.costs.spending(STRANGER, 0.0, LATER) != Spending([], [])


# What a stranger may try with the run, the question and the payload of another tenant.
REFUSED: dict[str, Callable[[Store, str, str], Awaitable[Any]]] = {
    "runs.get": lambda s, run, _: s.runs.get(STRANGER, run),
    "runs.requeue": lambda s, run, _: s.runs.requeue(STRANGER, run, "", LATER),
    "runs.fork": lambda s, run, _: s.runs.fork(STRANGER, run, 0, new_id(), LATER),
    "journal.read": lambda s, run, _: s.journal.read(STRANGER, run),
    "journal.last": lambda s, run, _: s.journal.last(STRANGER, run),
    "inbox.send": lambda s, run, _: s.inbox.send(STRANGER, run, "cancel", b"null", LATER),
    "approvals.get": lambda s, _, question: s.approvals.get(STRANGER, question),
    "approvals.decide": lambda s, _, question: s.approvals.decide(
        STRANGER, question, ApprovalStatus.APPROVED, b"1", "eve", LATER
    ),
    "blobs.get": lambda s, *_: s.blobs.get(STRANGER, HASH),
    "sessions.get": lambda s, run, _: s.sessions.get(STRANGER, run),
    "sessions.add": lambda s, run, _: s.sessions.add(STRANGER, run, NEXT, Meanwhile.REPLACE),
    "sessions.path": lambda s, run, _: s.sessions.path(STRANGER, run),
}
EMPTY: dict[str, Callable[[Store, str, str], Awaitable[Any]]] = {
    "runs.find": lambda s, *_: s.runs.find(STRANGER),
    "runs.counts": lambda s, *_: s.runs.counts(STRANGER),
    "runs.rows": lambda s, run, _: s.runs.rows(STRANGER, [run]),
    "runs.by_key": lambda s, *_: s.runs.by_key(STRANGER, "order", [KEY]),
    "runs.outcomes": lambda s, run, _: s.runs.outcomes(STRANGER, [run]),
    "costs.runs": lambda s, *_: s.costs.runs(STRANGER, 0.0, LATER),
    "costs.spending": lambda s, *_: hidden_costs(s),
    "budgets.accounts": lambda s, *_: s.budgets.accounts(STRANGER),
    "budgets.remove": lambda s, *_: s.budgets.remove(STRANGER, "agent", "writer", "day"),
    "answers.get": lambda s, *_: s.answers.get(STRANGER, b"question", 0.0),
    "answers.forget": lambda s, *_: s.answers.forget(STRANGER, FAR),
    "approvals.find": lambda s, run, _: s.approvals.find(STRANGER, run_id=run),
    "runs.search": lambda s, run, _: s.runs.search(STRANGER, Search(text=run)),
    "runs.totals": lambda s, run, _: totals(s, run),
    "runs.reach": lambda s, *_: s.runs.reach(STRANGER, Search(among=1)),
    "journal.news": lambda s, run, _: s.journal.news(STRANGER, {run: -1}, 10),
    "sessions.find": lambda s, *_: s.sessions.find(STRANGER),
    "sessions.turn": lambda s, run, _: s.sessions.turn(STRANGER, run),
    "sessions.turns": lambda s, run, _: s.sessions.turns(STRANGER, run),
    "sessions.started": lambda s, run, _: s.sessions.started(STRANGER, run, ()),
    "deliveries.find": lambda s, run, _: s.deliveries.find(STRANGER, run_id=run),
    "deliveries.signing": lambda s, *_: unsigned(s),
}
# Take a tenant and no id; tested where they belong.
ELSEWHERE = {"runs.start", "runs.purge", "budgets.balances", "answers.put", "deliveries.settle", "deliveries.rotate"}


async def secret_run(store: Store) -> tuple[str, str]:
    """A blocked run of TENANT with a large payload, an open question and an open inbox; the ids of both. The tenant
    has an account, a limit, an answer, and a run that has ended; a conversation, its turn and a delivery bear the
    run's id."""
    await ended(store)
    await store.budgets.put(limit())
    await store.answers.put(TENANT, b"question", BODY, LATER)
    held = await running(store, input=BODY, key=KEY, webhook="https://secret")
    await reserve(store, held, charge(), seq=2)
    question = await asked(store, held)
    await store.claims.settle(held, end(3, RunStatus.BLOCKED))
    name = held.run_id
    await store.sessions.create(Session(id=name, tenant=TENANT, flow="order", created_at=LATER, updated_at=LATER))
    await store.sessions.add(TENANT, name, NewTurn(id=name, message="secret", at=LATER), Meanwhile.QUEUE)
    await store.deliveries.rotate(TENANT, LATER)
    return name, question


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
async def test_what_belongs_to_another_tenant_is_not_found(
    store: Store, call: Callable[[Store, str, str], Awaitable[Any]]
) -> None:
    run_id, question = await secret_run(store)
    before = (
        await store.runs.get(TENANT, run_id),
        await store.approvals.get(TENANT, question),
        await journal_of(store, run_id),
    )
    with pytest.raises(NotFound) as caught:
        await call(store, run_id, question)
    assert "secret" not in str(caught.value)
    assert before == (
        await store.runs.get(TENANT, run_id),
        await store.approvals.get(TENANT, question),
        await journal_of(store, run_id),
    )
    assert await store.runs.counts(STRANGER) == {}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
async def test_a_foreign_thing_and_one_that_never_was_are_answered_alike(
    store: Store, call: Callable[[Store, str, str], Awaitable[Any]]
) -> None:
    run_id, question = await secret_run(store)
    with pytest.raises(NotFound) as foreign:
        await call(store, run_id, question)
    nobody = new_id()
    with pytest.raises(NotFound) as unknown:
        await call(store, nobody, nobody)
    told = str(foreign.value).replace(run_id, nobody).replace(question, nobody)
    assert told == str(unknown.value)


@pytest.mark.parametrize("call", EMPTY.values(), ids=EMPTY)
async def test_lists_and_counts_hold_nothing_of_another_tenant(
    store: Store, call: Callable[[Store, str, str], Awaitable[Any]]
) -> None:
    assert not await call(store, *await secret_run(store))


async def test_a_page_cannot_begin_at_another_tenants_run(store: Store) -> None:
    run_id, _ = await secret_run(store)
    await store.runs.start(new_run(tenant=STRANGER))
    assert await store.runs.find(STRANGER, before=run_id) == []


async def test_children_are_not_found_through_another_tenants_parent(store: Store) -> None:
    parent = await running(store)
    await child_of(store, parent, 1)
    assert await store.runs.find(STRANGER, parent=parent.run_id) == []


async def test_a_purge_keeps_to_its_tenant(store: Store) -> None:
    run_id, question = await secret_run(store)
    done = await store.runs.purge(STRANGER, before=FAR, statuses=list(RunStatus), batch=100, blobs_before=FAR)
    assert (done.runs, done.events, done.blobs) == (0, 0, 0)
    assert (await journal_of(store, run_id))[0].body == BODY
    assert (await store.approvals.get(TENANT, question)).run_id == run_id


def test_every_method_for_doors_is_tried_here() -> None:
    doors: dict[str, type] = {
        "runs": Runs, "journal": Journal, "inbox": Inbox, "approvals": Approvals, "blobs": Blobs, "budgets": Budgets,
        "answers": Answers, "sessions": Sessions, "deliveries": Deliveries, "costs": Costs,
    }  # fmt: skip
    by_tenant = {
        f"{room}.{name}"
        for room, protocol in doors.items()
        for name, method in inspect.getmembers(protocol, inspect.isfunction)
        if not name.startswith("_") and {"tenant", "new"} & inspect.signature(method).parameters.keys()
    }
    assert by_tenant == {*REFUSED, *EMPTY, *ELSEWHERE}
