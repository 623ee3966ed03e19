"""A large payload is stored once per tenant, and reads back as if it stood in its row."""

import hashlib
import json

import pytest

from callboard.domain.errors import NotFound
from callboard.store.claims import Release
from callboard.store.store import Store
from tests.conformance.store.play import (
    LARGE,
    STRANGER,
    TENANT,
    child_of,
    claim,
    end,
    ended,
    event,
    journal_of,
    letters,
    new_run,
    running,
    start,
)

BODY = json.dumps("ä" * LARGE).encode()
HASH = hashlib.sha256(BODY).hexdigest()
FAR = 4_000_000_000.0  # after every time in these stories


async def purge_all(store: Store, tenant: str) -> int:
    """How many payloads go when all ended runs go."""
    done = await store.runs.purge(tenant, before=FAR, statuses=["succeeded"], batch=100, blobs_before=FAR)  # type: ignore[list-item]
    return done.blobs


async def test_a_large_payload_reads_back_wherever_it_was_written(store: Store, other: Store) -> None:
    run_id = await start(store, input=BODY)
    held = (await claim(store, run_id)).claim
    await store.journal.append(held, [event(1, body=BODY), event(2, body=b'"small"')])
    await store.claims.settle(held, end(3, body=BODY))
    assert [e.body for e in await journal_of(other, run_id)] == [BODY, BODY, b'"small"', BODY]
    assert (await other.runs.outcomes(TENANT, [run_id]))[run_id].output == "ä" * LARGE


async def test_a_claim_brings_large_payloads_with_it(store: Store) -> None:
    held = await running(store, input=BODY)
    await store.journal.append(held, [event(1, body=BODY)])
    await store.claims.settle(held, Release())
    assert [e.body for e in (await claim(store, held.run_id)).events] == [BODY, BODY]


async def test_a_childs_large_input_reads_back(store: Store) -> None:
    parent = await running(store)
    child = await child_of(store, parent, 1, input=BODY)
    assert [e.body for e in await journal_of(store, child)] == [BODY]


async def test_a_large_notice_reaches_the_parent(store: Store) -> None:
    parent = await running(store)
    held = (await claim(store, await child_of(store, parent, 1))).claim
    await store.claims.settle(held, end(1, notice=BODY))
    assert [x.body for x in await letters(store, parent)] == [BODY]


async def test_a_payload_is_found_by_the_hash_of_its_content(store: Store) -> None:
    await start(store, input=BODY)
    assert await store.blobs.get(TENANT, HASH) == BODY


async def test_the_same_payload_is_stored_once_however_often_it_is_written(store: Store) -> None:
    for _ in range(3):
        held = await running(store, input=BODY)
        await store.journal.append(held, [event(1, body=BODY)])
        await store.claims.settle(held, end(2, body=BODY))
    assert await purge_all(store, TENANT) == 1


async def test_each_tenant_has_its_own_copy(store: Store) -> None:
    mine = await ended(store, input=BODY)
    theirs = await ended(store, input=BODY, tenant=STRANGER)
    assert await purge_all(store, TENANT) == 1
    with pytest.raises(NotFound):
        await store.runs.get(TENANT, mine)
    assert (await journal_of(store, theirs, STRANGER))[0].body == BODY
    assert await store.blobs.get(STRANGER, HASH) == BODY


async def test_another_tenant_cannot_read_a_payload_whose_hash_it_knows(store: Store) -> None:
    await store.runs.start(new_run(input=BODY))
    with pytest.raises(NotFound):
        await store.blobs.get(STRANGER, HASH)


@pytest.mark.parametrize("name", ["00" * 32, "", "not hex", "0" * 26])
async def test_a_payload_that_nobody_wrote_is_not_found(store: Store, name: str) -> None:
    with pytest.raises(NotFound):
        await store.blobs.get(TENANT, name)
