"""What is done for every step or every run goes to its rows by an index, and costs the same however many there are."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest

from callboard.connections.postgres import Database
from callboard.store.postgres.migrate import migrate
from callboard.store.postgres.sql import statements
from tests.fleet.plans import explain, indexes, pages, walks
from tests.servers.apart import apart
from tests.servers.postgres import PostgresServer

FEW, MANY, EACH = 100, 10_000, 100  # runs, and events of each run
FACTOR = 2.0  # a tree of a million entries is a level or two deeper than one of ten thousand

RUNS = """
INSERT INTO runs (id, tenant, flow, version, status, digest, rank, ready_at, created_at, updated_at, finished_at,
                  wake_at, start_at, owner, epoch, parent, labels)
SELECT 'run-' || n, 'tenant-' || n % 23, 'order', '1',
    CASE n % 50 WHEN 7 THEN 'ready' WHEN 8 THEN 'waiting' WHEN 9 THEN 'running' ELSE 'succeeded' END, '',
    n, n, n, n, CASE WHEN n % 50 NOT IN (7, 8, 9) THEN n END, CASE WHEN n % 50 = 8 THEN n END, NULL,
    CASE WHEN n % 50 = 9 THEN 'worker-' || n % 3 END, 1, CASE WHEN n % 10 = 0 THEN n - 1 END, '{"team": "blue"}'
FROM generate_series($1::int, $2::int) n
"""
EVENTS = """
INSERT INTO events (run, seq, kind, path, digest, at, took, body)
SELECT r.number, seq, 3, seq || ':step', '12345678', 1, 1, '{"result": "some"}'
FROM runs r, generate_series(0, $3::int - 1) seq WHERE r.created_at BETWEEN $1::int AND $2::int
"""
REST = (
    """INSERT INTO workers SELECT 'worker-' || n, 1, 'here', 0, now() FROM generate_series(0, 2) n
       WHERE $1::int = 1 AND $2::int > 0""",
    "INSERT INTO inbox SELECT number, 1, 'signal:go', 'null', 0 FROM runs WHERE created_at BETWEEN $1::int AND $2::int",
    """INSERT INTO approvals SELECT 'ask-' || number, number, tenant, '', 'ask',
       CASE WHEN number % 20 = 0 THEN 'open' ELSE 'approved' END, '1', number, NULL
       FROM runs WHERE created_at BETWEEN $1::int AND $2::int""",
    """INSERT INTO budget_accounts (tenant, name) SELECT tenant, 'run:' || id
       FROM runs WHERE created_at BETWEEN $1::int AND $2::int""",
    """INSERT INTO budget_holds SELECT number, '1:model', tenant, 'run:' || id, 1, 1, 1, 1
       FROM runs WHERE created_at BETWEEN $1::int AND $2::int AND number % 5 IN (1, 4)""",
    """INSERT INTO cached_answers SELECT tenant, id::bytea, 'x', number
       FROM runs WHERE created_at BETWEEN $1::int AND $2::int""",
    """INSERT INTO run_costs SELECT number, 'writer', 'small', tenant, 1, 1, 1, 1, 1, 0, 0, floor(finished_at / 86400),
       finished_at, CASE WHEN finished_at IS NOT NULL THEN '["order", "succeeded", "writer", "small"]' END, 1, 1
       FROM runs WHERE created_at BETWEEN $1::int AND $2::int""",
    """INSERT INTO access_keys SELECT 'key-' || n, 'tenant-' || n % 23, '', '', '[]', n, ''
       FROM generate_series($1::int, $2::int) n""",
    """INSERT INTO access_people SELECT 'mia-' || n, 'tenant-' || n % 23, '', '', '[]', n, ''
       FROM generate_series($1::int, $2::int) n""",
    """INSERT INTO access_logins SELECT ('mac-' || n)::bytea, 'tenant-' || n % 23, 'person', 'mia-' || n, '', '[]', n, n
       FROM generate_series($1::int, $2::int) n""",
    """INSERT INTO access_audit SELECT 'tenant-' || n % 23, (n + 22) / 23, n, 'key:' || n % 50, 'runs:cancel',
       'run:' || n, '{}', '' FROM generate_series($1::int, $2::int) n ORDER BY n""",
)


async def load(url: str, first: int, last: int) -> None:
    db = await asyncpg.connect(url)
    try:
        await db.execute(RUNS, first, last)
        await db.execute(EVENTS, first, last, EACH)
        for statement in REST:
            await db.execute(statement, first, last)
        await db.execute("VACUUM ANALYZE")
    finally:
        await db.close()


class Measured:
    """The same statements on the database while it was small and now that it is large."""

    def __init__(self, url: str, small: dict[str, int]) -> None:
        self.url = url
        self.small = small


@pytest.fixture(scope="module")
def measured(postgres: PostgresServer) -> Iterator[Measured]:
    url = postgres.new_database("plans")
    apart(migrate(Database(url)))
    apart(load(url, 1, FEW))
    small = apart(_measure(url))
    apart(load(url, FEW + 1, MANY))
    yield Measured(url, small)
    postgres.drop_database(url)


@pytest.fixture
async def db(measured: Measured) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(measured.url)
    yield connection
    await connection.close()


async def _measure(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    try:
        # A table of one page is read as a whole, which is cheaper still: that is no measure for a large one.
        return {
            name: pages(await explain(connection, *case(name), analyze=True, enable_seqscan="off")) for name in PRICED
        }
    finally:
        await connection.close()


RUN = 59  # a run that is being executed; there are such in the small database too
DONE = 51  # one that has ended
HERS = f"tenant-{DONE % 23}"
BATCH = list(range(11, 21))
ONE_EVENT = (RUN, EACH, 3, "1:step", b"12345678", 1, 1, b"{}", None, 1)
TEN = range(EACH, EACH + 10)
TEN_EVENTS = (
    *([RUN] * 10, list(TEN), [3] * 10, ["s"] * 10, [b""] * 10, [1] * 10, [1] * 10, [b"{}"] * 10),
    *([RUN], [1]),
)

# Statements with values for them. Each has a name: `topic.statement`, and a word more where there are several.
CASES: dict[str, tuple[Any, ...]] = {
    "appends.append_one": ONE_EVENT,
    "appends.append": TEN_EVENTS,
    "appends.owned": ([RUN], [1]),
    "appends.consume": ([RUN], [1]),
    "journal.line": (HERS, f"run-{DONE}"),
    "journal.line_of": (DONE,),
    "journal.read": (DONE, -1, 2**31 - 1, 1_000),
    "journal.read_within": (DONE, -1, 2**31 - 1, 1_000, 1_000_000),
    "journal.read from the middle": (DONE, 50, 2**31 - 1, 10),
    "inbox.letters": (RUN, 1, 0),
    "blobs.get": (HERS, b"x"),
    "runs.number": (HERS, f"run-{DONE}"),
    "runs.get": (HERS, f"run-{DONE}"),
    "runs.status": (HERS, f"run-{DONE}"),
    "runs.rows": (HERS, [f"run-{n}" for n in (DONE, DONE + 23, *BATCH)]),
    "runs.by_keys": (HERS, "order", ["key-1", "key-2"]),
    "runs.outcomes": (HERS, [f"run-{n}" for n in (DONE, DONE + 23, *BATCH)]),
    "runs.find": (HERS, None, None, None, None, 3),
    "runs.find by status": (HERS, "running", None, None, None, 50),
    "runs.find by labels": (HERS, None, None, '{"team": "blue"}', f"run-{DONE}", 5),
    "runs.find_children": ("tenant-9", None, None, None, None, 50, "run-9"),
    "runs.requeue": (HERS, f"run-{DONE}", 1.0, 60.0),
    "runs.keep_origin": (HERS, f"run-{DONE}"),
    "runs.append_free": (DONE, 9, 1, b"{}"),
    "runs.purgeable": (HERS, 5e9, ["succeeded"], 3),
    "runs.purge_runs": (BATCH,),
    "runs.purge_events": (BATCH,),
    "runs.purge_inbox": (BATCH,),
    "runs.purge_approvals": (BATCH,),
    "runs.purge_blobs": (HERS, 5e9, 10),
    "approvals.lock_run": (HERS, f"ask-{DONE}"),
    "approvals.decide": (HERS, f"ask-{DONE}", "approved", b"1", "mia", 1.0),
    "approvals.held": (RUN, 1),
    "approvals.close": ("ask-11", 11, "expired"),
    "approvals.find": (HERS, ["open"], 100),
    "approvals.find_of_run": (HERS, ["open"], 100, f"run-{DONE}"),
    "schedules.due": (1.0, 10),
    "claims.claim": ("worker-1", 1.0, 2, float("-inf"), ["order@1"], [], [], []),
    "claims.candidates": (2, ["order@1"], [], [], [], []),
    "claims.claim_these": ("worker-1", 1.0, [7]),
    "claims.executed": (["tenant-1"], ["order"]),
    "claims.mine": ("worker-1",),
    "claims.journals": ([DONE], [0], [HERS]),
    "claims.letters": (BATCH,),
    "claims.wake_due": (5e9, 2, 60.0, 1.0),
    "claims.outlook": ("worker-1", ["order@1"]),
    "claims.backlog": (),
    "settles.touch": ([RUN], [], [], []),
    "settles.touch family": ([RUN], [RUN], [RUN], ["run-11"]),
    "settles.touch many": (BATCH, BATCH, BATCH, [f"run-{n}" for n in BATCH]),
    "settles.withdraw": (BATCH,),
    "settles.forget_children": (BATCH,),
    "lone.start": ("run-new", HERS, "order", "1", 0, b"d", None, 0, None, 1.0, 1.0, 0.0, b"{}", 1, "key:1", None),
    "lone.there": (HERS, "run-new"),
    "lone.finish": (RUN, 1, 1, 20, "", b"", 0, 0, b"1", "succeeded", None, 1.0),
    "starts.by_key": ([HERS], ["order"], ["key-1"]),
    "appends.label": (BATCH, ["{}"] * 10),
    "appends.written": (BATCH, [1] * 10),
    "workers.lock_runs": (["worker-1"],),
    "workers.lock_mine": ("worker-1",),
    "claims.journals of many": (BATCH, [0] * 10, [HERS] * 10),
    "workers.take_over": ([RUN], 1.0, 60.0),
    "workers.drop_gone": (["worker-1"],),
    "schedules.advance": (HERS, "x", 1.0, 2.0, None),
    "costs.spend": ([RUN], *[[1]] * 6, [RUN], ["writer"], ["small"], [HERS], *[[1]] * 7),
    "costs.unfile": (DONE,),
    "costs.runs": (HERS, 9_990.0),
    "costs.open_runs": (HERS, 1),
    "costs.bills": (HERS, 9_990.0),
    "costs.open_bills": (HERS, 9_990.0, 1),
    "costs.purge": (BATCH,),
    "settles.put": ([RUN], ["failed"], *[[1]] * 2, *[[1.0]] * 3, [0], *[[1.0]] * 2, [False], [True], [None]),
    "runs.purge_accounts": (HERS, [f"run:run-{n}" for n in (DONE, DONE + 23)]),
    "accounts.holds": ([RUN, DONE], ["1:model"] * 2),
    "accounts.open": ([HERS] * 2, ["tenant", "run:1"]),
    "accounts.lock": ([HERS] * 2, [f"run:run-{DONE}", "tenant"]),
    "accounts.write": ([HERS], [f"run:run-{DONE}"], *[[1]] * 8),
    "accounts.release": ([DONE], ["1:model"]),
    "budgets.balances": (HERS, [f"run:run-{DONE}", "tenant"]),
    "budgets.page": (HERS, "run:run-5", "", 3),
    "budgets.still": ([RUN, DONE],),
    "budgets.held_by": ([DONE],),
    "answers.get": (HERS, b"run-51", 1.0),
    "answers.put": (HERS, b"run-51", b"y", 1.0),
    "answers.forget": (None, 3.0, 2),
    "keys.find": (f"key-{DONE}",),
    "keys.stale": (HERS, f"key-{DONE}", 1e9),
    "keys.used": (HERS, f"key-{DONE}", 1e9),
    "keys.list": (HERS,),
    "people.find": (f"mia-{DONE}",),
    "people.entered": (b"mac-51",),
    "people.leave": (HERS, b"mac-51"),
    "people.leave_all": (HERS, "person", f"mia-{DONE}"),
    "people.forget": (3.0, 2),
    "audit.head": (HERS,),
    "audit.append": (HERS, 999, 1.0, "key:1", "login", "", b"{}", b""),
    "audit.find": (HERS, "runs:", "runs:z", None, None, None, 3),
    "audit.find_by": (HERS, None, None, None, None, 9_999, 3, "key:1"),
    "audit.find_about": (HERS, None, None, None, None, None, 3, None, f"run:{DONE}"),
    "audit.read": (HERS, 2, 10),
}
# Those that a step or a run costs, and so may not cost more as the tables grow.
PRICED = [
    "appends.append_one",
    "appends.append",
    "journal.line",
    "journal.read",
    "costs.spend",
    "settles.put",
    "claims.claim",
    "claims.claim_these",
    "claims.journals",
    "settles.touch",
    "settles.withdraw",
    "claims.wake_due",
    "workers.take_over",
    "inbox.letters",
    "runs.get",
    "runs.outcomes",
    "runs.find",
    "runs.purgeable",
    "runs.purge_runs",
    "runs.purge_events",
    "runs.purge_inbox",
    "runs.purge_approvals",
    "accounts.holds",
    "accounts.open",
    "accounts.lock",
    "accounts.write",
    "accounts.release",
    "budgets.balances",
    "budgets.page",
    "answers.get",
    "answers.forget",
    "keys.find",
    "keys.stale",
    "keys.used",
    "people.entered",
    "audit.head",
    "audit.find",
]
SMALL_TABLES = {
    "schedules",
    "blobs",
    "lanes",
    "controls",
    "workers",
    "webhook_deliveries",
}  # empty here: read as a whole


def case(name: str) -> tuple[str, str, tuple[Any, ...]]:
    topic, statement = name.partition(" ")[0].split(".")
    return topic, statement, CASES[name]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("name", CASES)
async def test_no_frequent_statement_walks_a_large_table(db: Any, name: str, mode: str) -> None:
    """Neither with the values at hand nor planned once for all values."""
    found = await explain(db, *case(name), plan_cache_mode=mode)
    assert not [walk for walk in walks(found) if walk.split()[0] not in SMALL_TABLES], json.dumps(found, indent=1)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("appends.append_one", "runs_pkey"),
        ("journal.read", "events_pkey"),
        ("runs.get", "runs_id_key"),
        ("lone.there", "runs_id_key"),
        ("lone.finish", "runs_pkey"),
        ("runs.find", "runs_tenant"),
        ("runs.find_children", "runs_parent"),
        ("runs.purgeable", "runs_finished"),
        ("runs.purgeable", "runs_fork"),
        ("runs.purge_events", "events_pkey"),
        ("runs.purge_approvals", "approvals_run"),
        ("claims.claim", "runs_ready"),
        ("claims.claim", "events_pkey"),
        ("claims.wake_due", "runs_wake"),
        ("claims.outlook", "runs_owner"),
        ("workers.take_over", "events_pkey"),
        ("approvals.find", "approvals_open"),
        ("approvals.find_of_run", "approvals_run"),
        ("costs.runs", "runs_finished"),
        ("costs.bills", "run_costs_ended"),
        ("costs.open_bills", "run_costs_open"),
        ("settles.put", "run_costs_pkey"),
        ("accounts.lock", "budget_accounts_pkey"),
        ("accounts.holds", "budget_holds_pkey"),
        ("answers.forget", "cached_answers_at"),
        ("people.forget", "access_logins_expires"),
        ("audit.head", "access_audit_pkey"),
        ("audit.find_by", "access_audit_actor"),
        ("audit.find_about", "access_audit_object"),
    ],
)
async def test_a_frequent_statement_uses_the_index_made_for_it(db: Any, name: str, index: str) -> None:
    found = await explain(db, *case(name))
    assert index in indexes(found), json.dumps(found, indent=1)


@pytest.mark.parametrize("name", PRICED)
async def test_a_million_events_make_nothing_dearer_than_ten_thousand(db: Any, measured: Measured, name: str) -> None:
    found = pages(await explain(db, *case(name), analyze=True))
    assert found <= measured.small[name] * FACTOR + 4, f"{found} pages against {measured.small[name]}"


async def test_a_tenant_with_nothing_to_purge_costs_nothing(db: Any) -> None:
    values = ("somebody else", 5e9, ["succeeded"], 500)
    assert pages(await explain(db, "runs", "purgeable", values, analyze=True)) < 10


BY_A_DOOR = ["journal.line", "journal.read", "runs.get", "runs.outcomes", "runs.find", "approvals.find", "runs.requeue"]


@pytest.mark.parametrize("name", BY_A_DOOR)
async def test_row_level_security_keeps_the_index(db: Any, measured: Measured, name: str) -> None:
    topic, statement, values = case(name)
    async with db.transaction():
        await db.execute(f"SET LOCAL ROLE callboard_door; SET LOCAL callboard.tenant = '{values[0]}'")
        if name == "journal.read":
            await db.execute(f"SET LOCAL callboard.tenant = '{HERS}'")
        found = await explain(db, topic, statement, values, analyze=True)
    assert not [walk for walk in walks(found) if walk.split()[0] not in SMALL_TABLES], json.dumps(found, indent=1)
    if name == "journal.read":  # each event is as visible as its run, which is looked up for each
        assert found["Actual Rows"] == EACH
        assert pages(found) <= measured.small[name] + 6 * EACH


async def test_the_tables_are_as_large_as_these_tests_say(db: Any) -> None:
    assert await db.fetchval("SELECT count(*) FROM events") == MANY * EACH


@pytest.mark.parametrize(
    "topic",
    [
        "accounts",
        "answers",
        "approvals",
        "audit",
        "blobs",
        "budgets",
        "controls",
        "costs",
        "inbox",
        "journal",
        "keys",
        "people",
        "runs",
        "schedules",
        "schema",
    ],
)
def test_every_statement_of_a_file_is_loaded_under_its_own_name(topic: str, read_sql: Callable[[str], str]) -> None:
    text = read_sql(topic)
    assert list(statements(topic)) == re.findall(r"^-- (\w+): ", text, re.MULTILINE)
    assert all(sql and ";" not in re.sub(r"^--.*", "", sql, flags=re.MULTILINE) for sql in statements(topic).values())


@pytest.fixture
def read_sql() -> Callable[[str], str]:
    from importlib.resources import files

    return lambda topic: (files("callboard.store.postgres") / "queries" / f"{topic}.sql").read_text(encoding="utf-8")
