"""Starts that come together are one statement: what it costs, and what it says when it is written again."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from callboard.domain.errors import KeyConflict
from callboard.store.postgres import PostgresStore, together
from callboard.store.postgres.line import BY_INDEX
from callboard.store.postgres.sql import statements
from callboard.store.postgres.starts import Start
from callboard.store.runs import Started
from tests.conformance.store.play import TENANT, journal_of, new_run
from tests.fleet.plans import literal, pages

READY = """
INSERT INTO runs (id, tenant, flow, version, status, digest, rank, ready_at, created_at, updated_at)
SELECT 'run-' || n, 'acme', 'order', '1', 'ready', '', n, n, n, n FROM generate_series(1, 3000) n
"""
LANE = "INSERT INTO lanes VALUES ('acme', 10, 'run-3000')"
ONE = ["run-x"], ["order"], ["1"], [0], None, [b"d"], None, [0], [0.0], [1.0], None, None, None, [b"{}"]
STARTS: dict[str, tuple[Any, ...]] = {
    "lone.start": ("run-x", "acme", "order", "1", 0, b"d", None, 0, None, 1.0, 1.0, 0.0, b"{}", 1, "key:1", None),
    "starts.queue_up": (["acme"], [1.0], ["run-x"], '{"acme": 1.0}'),
    "together.start": ("acme", 1.0, 1.0, "run-x", *([None] if each is None else each for each in ONE)),
}


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    return new_database("together")


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def db(store: PostgresStore, url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, server_settings=BY_INDEX)
    yield connection
    await connection.close()


async def test_a_start_that_was_planned_while_nobody_waited_does_not_read_those_who_do(db: Any) -> None:
    async def explained(name: str, how: str) -> dict[str, Any]:
        given = ", ".join("'{NULL}'" if value == [None] else literal(value) for value in STARTS[name])
        transaction = db.transaction()
        await transaction.start()
        text = await db.fetchval(f"EXPLAIN ({how}, FORMAT JSON) EXECUTE {name.replace('.', '_')}({given})")
        await transaction.rollback()
        plan: dict[str, Any] = json.loads(text)[0]["Plan"]
        return plan

    for name in STARTS:
        topic, statement = name.split(".")
        await db.execute(f"PREPARE {name.replace('.', '_')} AS {statements(topic)[statement]}")
        await explained(name, "COSTS")
    await db.execute(READY)
    await db.execute(LANE)
    for name in STARTS:
        found = await explained(name, "ANALYZE, BUFFERS")
        assert pages(found) < 80, (name, json.dumps(found, indent=1))


async def test_what_was_written_before_is_known_again_and_a_key_makes_one_run(store: PostgresStore, db: Any) -> None:
    before = new_run(key="old")
    await store.runs.start(before)
    news = [
        new_run(input=b'"first"'),
        new_run(key="k", input=b'"second"'),
        new_run(key="k"),
        new_run(key="k", digest=b"another."),
        new_run(key="old"),
        new_run(input=b'"last"', priority=1),
    ]
    ops = [Start(new) for new in news]
    assert together.fit(ops) and not together.fit(ops[:1])
    for again in (False, True):
        results = await together.write(db, ops, again=again)
        assert results[:3] == [Started(news[0].id, True), Started(news[1].id, True), Started(news[1].id, False)]
        assert isinstance(results[3], KeyConflict)
        assert results[4:] == [Started(before.id, False), Started(news[5].id, True)]
        assert await db.fetchval("SELECT count(*) FROM runs") == 4
    for made in (news[0], news[1], news[5]):
        (first,) = await journal_of(store, made.id)
        assert (first.body, first.digest, first.at) == (made.input, made.digest, int(made.at * 1e6))
    in_turn = [row["id"] for row in await db.fetch("SELECT id FROM runs WHERE tenant = $1 ORDER BY rank", TENANT)]
    assert in_turn == [news[5].id, before.id, news[0].id, news[1].id]


def test_what_goes_with_more_than_a_row_is_not_written_together() -> None:
    plain = Start(new_run())
    for other in (
        new_run(start_at=5e9),
        new_run(webhook="https://x.example"),
        new_run(tenant="other"),
        new_run(input=b"x" * 20_000),
    ):
        assert not together.fit([plain, Start(other)])
