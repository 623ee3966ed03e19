"""What doors and sweeps ask of conversations, deliveries and runs goes by indexes, and costs nothing while there is
nothing to do."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from typing import Any

import asyncpg
import pytest

from callboard.connections.postgres import Database
from callboard.domain.run import RunStatus
from callboard.store.postgres.migrate import migrate
from callboard.store.postgres.search import made
from callboard.store.postgres.sql import statements
from callboard.store.runs import Search
from callboard.store.searching import wanted
from tests.fleet.plans import explain, explain_text, indexes, pages, walks
from tests.servers.apart import apart
from tests.servers.postgres import PostgresServer

RUNS = 20_000  # of each twentieth tenant, the last run is at work; each tenth run has failed
HERS, RUN = "tenant-7", "run-7"
LOAD = (
    """INSERT INTO runs (id, tenant, flow, version, status, digest, rank, ready_at, created_at, updated_at, finished_at,
                         owner, error)
       SELECT 'run-' || n, 'tenant-' || n % 20, 'order', '1', CASE WHEN n > $1::int - 10 THEN 'running'
           WHEN n % 10 = 7 THEN 'failed' ELSE 'succeeded' END, '', n, n, n, n,
           CASE WHEN n <= $1::int - 10 THEN n END, CASE WHEN n > $1::int - 10 THEN 'anna' END,
           CASE WHEN n % 10 = 7 THEN '{"code":"boom","kind":"bug","message":"it broke"}'::bytea END
       FROM generate_series(1, $1::int) n""",
    "INSERT INTO events (run, seq, kind, path, digest, at, took) SELECT number, 0, 1, '', '', 0, 0 FROM runs LIMIT $1",
    """INSERT INTO chat_sessions (tenant, id, flow, created_at, updated_at, head, turns)
       SELECT 'tenant-' || n % 20, 'talk-' || n, 'order', n, n, 'run-' || n, 10
       FROM generate_series(0, $1::int / 10 - 1) n""",
    """INSERT INTO chat_turns (tenant, session, number, id, after, message, status, at)
       SELECT 'tenant-' || n % 20, 'talk-' || n % ($1::int / 10), 1 + n / ($1::int / 10), 'run-' || n,
           'run-' || n - $1::int / 10, '{}', 'started', n FROM generate_series(0, $1::int - 1) n""",
    """INSERT INTO webhook_deliveries (tenant, id, run, url, created_at, due, status, tries, said)
       SELECT tenant, 'd-' || id, id, 'https://x.example', 0, 0, 'done', 1, '' FROM runs LIMIT $1""",
)
ASKED: dict[str, tuple[Any, ...]] = {
    "sessions.get": (HERS, "talk-7"),
    "sessions.lock": (HERS, "talk-7"),
    "sessions.lock_pending": (HERS, "talk-7"),
    "sessions.find": (HERS, None, None, "talk-27", 3),
    "sessions.going": (HERS, "talk-7"),
    "sessions.follows": (HERS, "talk-7", 3),
    "sessions.status": (HERS, "talk-7", RUN),
    "sessions.insert": (HERS, "talk-7", 11, "new", None, b"{}", "pending", 1.0, None),
    "sessions.numbers": (HERS, [RUN, "run-27"]),
    "sessions.grow": (HERS, "talk-7", "new", 11, 1.0),
    "sessions.mark": (HERS, [RUN], "dropped"),
    "sessions.started": (HERS, RUN, None),
    "sessions.turn": (HERS, RUN),
    "sessions.turns": (HERS, "talk-7", 0, 10),
    "sessions.path": (HERS, "run-18007"),
    "sessions.due": (10,),
    "sessions.purge": (HERS, 40.0, 5),
    "sessions.purge_turns": (HERS, ["talk-7"]),
    "deliveries.add": ([HERS], ["new"], [RUN], ["https://y.example"], [0.0], [0.0], ["pending"], [0], [""], [1]),
    "deliveries.told": (HERS, RUN),
    "deliveries.any": (9.0,),
    "deliveries.overtaken": (9.0,),
    "deliveries.take": (9.0, 10.0, 5),
    "deliveries.settle": (HERS, "d-7", "done", 1.0, ""),
    "deliveries.find": (HERS, None, 3),
    "deliveries.find_of_run": (HERS, None, 3, RUN),
    "deliveries.signing": (HERS,),
    "deliveries.rotate": (HERS, 9.0),
    "journal.news": (HERS, ["run-7", "run-27"], [-1, 0], 10),
    "runs.purgeable": (HERS, 5e9, ["succeeded"], 3),
    "runs.purge_deliveries": (HERS, [RUN]),
}
SEARCHES = {
    "runs_tenant": Search(flows=("ord*",), labels={"a": "b"}, text="it broke", roots=True),
    "runs_error": Search(statuses=(RunStatus.FAILED, RunStatus.DEAD)),
    "runs_stuck": Search(statuses=(RunStatus.BLOCKED, RunStatus.DEAD), since=5.0, among=3),
    "runs_owner": Search(statuses=(RunStatus.RUNNING,)),
}
NOTHING_TO_DO = ("sessions.due", "deliveries.any", "deliveries.take", "deliveries.overtaken")
POOL: dict[str, Any] = {"enable_seqscan": "off"}  # as the pool's connections have it


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> Iterator[str]:
    url = postgres.new_database("door plans")
    apart(migrate(Database(url)))
    apart(load(url))
    yield url
    postgres.drop_database(url)


async def load(url: str) -> None:
    db = await asyncpg.connect(url)
    try:
        for statement in LOAD:
            await db.execute(statement, RUNS)
        await db.execute("VACUUM ANALYZE")
    finally:
        await db.close()


@pytest.fixture
async def db(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_what_is_asked_of_conversations_and_deliveries_goes_by_an_index(db: Any, mode: str) -> None:
    for name, values in ASKED.items():
        topic, statement = name.split(".")
        found = await explain(db, topic, statement, values, plan_cache_mode=mode, **POOL)
        assert not [walk for walk in walks(found) if not walk.endswith("_pending")], (name, json.dumps(found, indent=1))


async def test_a_sweep_that_finds_nothing_to_do_reads_next_to_nothing(db: Any) -> None:
    for name in NOTHING_TO_DO:
        topic, statement = name.split(".")
        assert pages(await explain(db, topic, statement, ASKED[name], analyze=True, **POOL)) <= 3, name


async def test_a_long_conversation_that_waits_costs_a_look_at_its_last_turn(db: Any) -> None:
    transaction = db.transaction()
    await transaction.start()
    try:
        await db.execute("DELETE FROM chat_turns")
        told = await db.execute(
            """INSERT INTO chat_turns (tenant, session, number, id, message, status, at)
               SELECT tenant, 'long', number, id, '{}'::bytea, 'started', 0
               FROM runs WHERE tenant = 'tenant-19'
               UNION ALL SELECT 'tenant-19', 'long', $1::bigint + 1, 'next', '{}'::bytea, 'pending', 0""",
            RUNS,
        )
        found = await explain(db, "sessions", "due", (10,), analyze=True, **POOL)
    finally:
        await transaction.rollback()
    assert told == f"INSERT 0 {RUNS // 20 + 1}"
    assert found["Actual Rows"] == 0, "its last run goes on"
    assert pages(found) < 20


@pytest.mark.parametrize("index", SEARCHES)
async def test_a_search_begins_where_there_are_fewest_runs(db: Any, index: str) -> None:
    for mode in ("force_custom_plan", "force_generic_plan"):
        for name in ("page", "totals"):
            statement, values = made(name, HERS, wanted(SEARCHES[index]), None, 50)
            found = await explain_text(db, statement, values, plan_cache_mode=mode, **POOL)
            assert index in indexes(found), (name, mode, json.dumps(found, indent=1))
            assert not [walk for walk in walks(found) if "runs_owner" not in walk]


async def test_the_newest_page_of_a_tenant_reads_that_page_alone(db: Any) -> None:
    statement, values = made("page", HERS, wanted(Search()), None, 50)
    assert pages(await explain_text(db, statement, values, analyze=True, **POOL)) < 400


@pytest.mark.parametrize("topic", ["sessions", "deliveries", "search"])
def test_every_statement_of_a_file_is_loaded_under_its_own_name(topic: str) -> None:
    text = (files("callboard.store.postgres") / "queries" / f"{topic}.sql").read_text(encoding="utf-8")
    assert list(statements(topic)) == re.findall(r"^-- (\w+): ", text, re.MULTILINE)
    assert all(sql and ";" not in sql for sql in statements(topic).values())
