"""A run that begins anew: one event, a short journal for the next owner, and the whole journal for readers."""

import pytest

from callboard.domain.errors import LeaseLost
from callboard.domain.event import EventKind
from callboard.domain.run import RunStatus
from callboard.store.claims import Renew
from callboard.store.letter import CANCEL, CHILD
from callboard.store.store import Store
from tests.conformance.store.play import (
    LARGE,
    TENANT,
    child_of,
    claim,
    end,
    event,
    letters,
    overtaken,
    running,
    send,
    seqs_of,
    status_of,
)


async def test_the_next_owner_gets_the_journal_from_there_on(store: Store) -> None:
    held = await running(store)
    await store.journal.append(held, [event(1), event(2)])
    anew = event(3, EventKind.CONTINUED, "", b'{"n":2}')
    assert (await store.claims.settle(held, Renew(anew))).done
    assert await status_of(store, held.run_id) is RunStatus.READY
    found = await claim(store, held.run_id)
    assert found.events == [anew]
    assert found.claim.epoch > held.epoch
    assert await seqs_of(store, held.run_id) == [0, 1, 2, 3]
    await store.journal.append(found.claim, [event(4)])
    await store.claims.settle(found.claim, end(5))
    assert (await store.runs.outcomes(TENANT, [held.run_id]))[held.run_id].output == "done"


async def test_a_large_input_is_kept_like_any_other_payload(store: Store) -> None:
    held = await running(store)
    body = b'"' + b"x" * LARGE + b'"'
    await store.claims.settle(held, Renew(event(1, EventKind.CONTINUED, "", body)))
    assert (await claim(store, held.run_id)).events[0].body == body


async def test_letters_stay_but_not_those_of_children(store: Store) -> None:
    held = await running(store)
    child = await child_of(store, held, 1)
    await send(store, held.run_id, "signal:go", 1)
    theirs = (await claim(store, child)).claim
    await store.claims.settle(theirs, end(1, notice=b'{"status":"succeeded"}'))
    assert [x.name for x in await letters(store, held)] == ["signal:go", f"{CHILD}1:child"]
    await store.claims.settle(held, Renew(event(2, EventKind.CONTINUED), orphans=True))
    assert [x.name for x in (await claim(store, held.run_id)).letters] == ["signal:go"]


async def test_living_children_are_cancelled_and_report_no_more(store: Store) -> None:
    held = await running(store)
    child = await child_of(store, held, 1)
    theirs = (await claim(store, child)).claim
    await store.claims.settle(held, Renew(event(2, EventKind.CONTINUED), orphans=True))
    assert [x.name for x in await letters(store, theirs)] == [CANCEL]
    await store.claims.settle(theirs, end(1, RunStatus.CANCELLED, notice=b'{"status":"cancelled"}'))
    assert (await claim(store, held.run_id)).letters == []


async def test_a_zombie_cannot_renew(store: Store) -> None:
    zombie, owner = await overtaken(store)
    with pytest.raises(LeaseLost):
        await store.claims.settle(zombie, Renew(event(1, EventKind.CONTINUED)))
    assert await seqs_of(store, owner.run_id) == [0]


async def test_a_fork_begins_where_its_part_of_the_journal_began_last(store: Store) -> None:
    held = await running(store)
    await store.claims.settle(held, Renew(event(1, EventKind.CONTINUED)))
    held = (await claim(store, held.run_id)).claim
    await store.journal.append(held, [event(2)])
    await store.claims.settle(held, end(3))
    late = await store.runs.fork(TENANT, held.run_id, 2, "late-fork", 1.0)
    found = await claim(store, late.id)
    assert [(e.seq, e.kind) for e in found.events] == [
        (1, EventKind.CONTINUED),
        (2, EventKind.DONE),
        (3, EventKind.FORKED),
    ]
    early = await store.runs.fork(TENANT, held.run_id, 0, "early-fork", 1.0)
    assert [e.kind for e in (await claim(store, early.id)).events] == [EventKind.STARTED, EventKind.FORKED]
