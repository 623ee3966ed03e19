"""A door sees and writes the rows of one tenant, whatever SQL it is made to run; workers see all."""

# ruff: noqa: S608 - statements are put together from this file's own words
from typing import Any

import asyncpg
import pytest

from tests.conformance.store.play import STRANGER, TENANT
from tests.fleet.tenancy import Tenancy

OWN = (  # tables with rows of tenants
    *("runs", "events", "inbox", "approvals", "blobs", "lanes", "schedules"),
    *("budget_accounts", "budget_holds", "budget_limits"),
    *("access_keys", "access_people", "access_logins", "access_audit"),
    *("chat_sessions", "chat_turns", "webhook_deliveries", "webhook_signing", "run_costs"),
)
CLOSED = {"cached_answers"}  # and one that is closed to doors
LIVE = {"chunks"}  # and one that belongs to streams, and has its tests there
WRITERS = {"marks"}  # and one with rows of writers
READ_BY_ALL = {"callboard_schema", "controls", "workers"}  # tables that belong to no tenant


async def counts(db: Any) -> dict[str, int]:
    return {table: await db.fetchval(f"SELECT count(*) FROM {table}") for table in OWN}


async def test_a_door_sees_the_rows_of_its_tenant_in_every_table(tenancy: Tenancy) -> None:
    owner = await asyncpg.connect(tenancy.home.owner)
    try:
        everything = await counts(owner)
    finally:
        await owner.close()
    async with tenancy.door(TENANT) as mine, tenancy.door(STRANGER) as theirs:
        seen = await counts(mine), await counts(theirs)
        assert {*await mine.fetch("SELECT id FROM runs")} == {(f"{TENANT}-run",)}
        assert not await mine.fetch("SELECT 1 FROM events WHERE run = $1", tenancy.theirs)
        assert not await mine.fetch("SELECT 1 FROM approvals WHERE id = $1", f"{STRANGER}-question")
    assert all(seen[0].values()), "or nothing was tried"
    assert {table: seen[0][table] + seen[1][table] for table in OWN} == everything


@pytest.mark.parametrize("tenant", [None, "", "nobody", "' OR true --", "%"])
async def test_a_door_that_names_no_tenant_or_another_sees_nothing(tenancy: Tenancy, tenant: str | None) -> None:
    async with tenancy.door(tenant) as db:
        assert set((await counts(db)).values()) == {0}


async def test_a_tenant_that_was_named_is_forgotten_with_the_transaction(tenancy: Tenancy) -> None:
    db = await asyncpg.connect(tenancy.home.door)
    try:
        async with db.transaction():
            await db.execute("SELECT set_config('callboard.tenant', $1, true)", TENANT)
            assert await db.fetchval("SELECT count(*) FROM runs") == 1
        assert set((await counts(db)).values()) == {0}
    finally:
        await db.close()


async def test_no_row_of_a_nameless_tenant_is_shown_to_a_door_that_named_none(tenancy: Tenancy) -> None:
    """The setting of a transaction that is over is an empty text, not nothing."""
    owner = await asyncpg.connect(tenancy.home.owner)
    try:
        await owner.execute("UPDATE runs SET tenant = '' WHERE tenant = $1", STRANGER)
    finally:
        await owner.close()
    async with tenancy.door("") as db:
        assert await db.fetchval("SELECT count(*) FROM runs") == 0


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("runs", "status = 'ready'"),
        ("runs", "inbox_seq = inbox_seq + 1"),
        ("approvals", "status = 'approved'"),
        ("blobs", "data = ''"),
        ("lanes", "tail = 0"),
        ("schedules", "flow = 'mine'"),
        ("chat_sessions", "turns = 9"),
        ("chat_turns", "status = 'started'"),
        ("run_costs", "place = NULL"),
    ],
)
async def test_a_door_changes_rows_of_its_tenant_alone(tenancy: Tenancy, table: str, change: str) -> None:
    async with tenancy.door() as db:
        told = await db.execute(f"UPDATE {table} SET {change}")
        assert told == "UPDATE 1"
        assert await db.execute(f"UPDATE {table} SET {change} WHERE tenant = $1", STRANGER) == "UPDATE 0"


async def test_a_door_cannot_lock_what_it_cannot_see(tenancy: Tenancy) -> None:
    async with tenancy.door() as db:
        assert not await db.fetch("SELECT 1 FROM runs WHERE number = $1 FOR UPDATE", tenancy.theirs)


async def test_a_door_removes_schedules_of_its_tenant_alone(tenancy: Tenancy) -> None:
    async with tenancy.door() as db:
        assert await db.execute("DELETE FROM schedules") == "DELETE 1"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO blobs VALUES ('{theirs}', 'x', 'x', 0)",
        "INSERT INTO lanes VALUES ('{theirs}2', 0, '')",
        "INSERT INTO lanes VALUES ('{theirs}', 0, '') ON CONFLICT (tenant) DO UPDATE SET tail = 0",
        "INSERT INTO schedules VALUES ('{theirs}', 'x', '', '', '', '', '', '', false, 0)",
        "INSERT INTO inbox VALUES ({number}, 9, 'cancel', 'null', 0)",
        "INSERT INTO events VALUES ({number}, 9, 3, '', '', 0, 0, 'null')",
        "INSERT INTO approvals VALUES ('x', {number}, '{theirs}', '', 'ask', 'open', '1', 0)",
        "INSERT INTO approvals VALUES ('x', {number}, '{mine}', '', 'ask', 'open', '1', 0)",
        "UPDATE runs SET tenant = '{theirs}'",
        "UPDATE approvals SET tenant = '{theirs}'",
        "UPDATE approvals SET run = {number}",
        "UPDATE blobs SET tenant = '{theirs}'",
        "UPDATE lanes SET tenant = '{theirs}2'",
        "UPDATE schedules SET tenant = '{theirs}', name = 'other'",
        "UPDATE inbox SET run = {number}",
        "INSERT INTO chat_sessions (tenant, id, flow, created_at, updated_at) VALUES ('{theirs}', 'x', '', 0, 0)",
        "INSERT INTO chat_turns VALUES ('{theirs}', '{theirs}-talk', 2, 'x', NULL, '1', 'pending', 0)",
        "UPDATE chat_turns SET tenant = '{theirs}'",
        "INSERT INTO webhook_deliveries (tenant, id, run, url, created_at, due, status, tries, said) "
        "VALUES ('{theirs}', 'x', 'x', '', 0, 0, 'pending', 0, '')",
        "INSERT INTO webhook_signing VALUES ('{theirs}2', 2, 0)",
    ],
)
async def test_a_door_puts_nothing_into_another_tenants_hands(tenancy: Tenancy, statement: str) -> None:
    await tenancy.refuses(statement.format(theirs=STRANGER, mine=TENANT, number=tenancy.theirs))


COLUMNS = "id, tenant, flow, version, status, digest, rank, ready_at, created_at, updated_at"


@pytest.mark.parametrize(
    ("more", "value"),
    [("", ""), (", parent", "theirs"), (", fork_of", "theirs"), (", number", "free")],
    ids=["tenant", "parent", "fork", "number"],
)
async def test_a_door_starts_no_run_that_is_or_continues_another_tenants(
    tenancy: Tenancy, more: str, value: str
) -> None:
    """A worker follows the links of a run, and sees every tenant: through a false one the journal would leak."""
    tenant = TENANT if more else STRANGER
    tail = {"": "", "theirs": f", {tenancy.theirs}", "free": ", 999999"}[value]
    await tenancy.refuses(
        f"INSERT INTO runs ({COLUMNS}{more}) OVERRIDING SYSTEM VALUE "
        f"VALUES ('new', '{tenant}', 'f', '1', 'ready', '', 0, 0, 0, 0{tail})"
    )


async def test_a_door_starts_runs_that_continue_its_own(tenancy: Tenancy) -> None:
    async with tenancy.door() as db:
        for n, link in enumerate(("parent", "fork_of")):
            await db.execute(
                f"INSERT INTO runs ({COLUMNS}, {link}) VALUES ('{n}', '{TENANT}', 'f', '1', 'ready', '', 0, 0, 0, 0, "
                f"{tenancy.mine})"
            )


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM runs",
        "DELETE FROM events",
        "DELETE FROM inbox",
        "DELETE FROM approvals",
        "DELETE FROM blobs",
        "DELETE FROM lanes",
        "UPDATE events SET body = ''",
        "UPDATE runs SET parent = 1",
        "UPDATE runs SET fork_of = 1",
        "UPDATE approvals SET proposal = ''",
        "UPDATE workers SET beat = now()",
        "INSERT INTO workers VALUES ('x', 1, 'x', 0, now())",
        "DELETE FROM controls",
        "UPDATE controls SET paused = true",
        "INSERT INTO controls VALUES ('tenant', 'x', true, NULL, '', 0)",
        "INSERT INTO callboard_schema VALUES (1, 'x')",
        "TRUNCATE runs",
        "UPDATE budget_accounts SET used_cost = 0",
        "DELETE FROM budget_accounts",
        "DELETE FROM budget_holds",
        "INSERT INTO budget_limits VALUES ('{mine}', 'agent', 'other', 'day', 9, 9, 9, 9, '[]', '', 0)",
        "UPDATE budget_limits SET cost = 9",
        "DELETE FROM budget_limits",
        "SELECT body FROM cached_answers",
        "INSERT INTO cached_answers VALUES ('{mine}', 'x', 'x', 0)",
        "UPDATE runs SET charges = NULL",
        "UPDATE runs SET started_by = 'person:mia'",
        "UPDATE chat_turns SET message = '1'",
        "DELETE FROM chat_turns",
        "DELETE FROM chat_sessions",
        "UPDATE webhook_deliveries SET status = 'done'",
        "UPDATE run_costs SET cost = 0",
        "DELETE FROM run_costs",
        "DELETE FROM webhook_deliveries",
        "DELETE FROM webhook_signing",
        "CREATE TABLE mine (n int)",
        "ALTER TABLE runs DISABLE ROW LEVEL SECURITY",
        "SET LOCAL ROLE callboard_worker",
    ],
)
async def test_a_door_neither_deletes_history_nor_does_what_workers_do(tenancy: Tenancy, statement: str) -> None:
    await tenancy.refuses(statement.format(mine=TENANT))


async def test_a_temporary_table_does_not_stand_in_for_a_real_one(tenancy: Tenancy) -> None:
    async with tenancy.door() as db:
        await db.execute("CREATE TEMP TABLE runs (number bigint, tenant text)")
        await db.execute("INSERT INTO pg_temp.runs VALUES ($1, $2)", tenancy.theirs, TENANT)
        assert not await db.fetchval("SELECT callboard_owns($1)", tenancy.theirs)
        assert await db.fetchval("SELECT callboard_owns($1)", tenancy.mine)


async def test_every_table_is_bound_by_tenant_or_closed_to_doors(tenancy: Tenancy) -> None:
    """A table that a later migration adds is either under row-level security or not for doors to write."""
    owner = await asyncpg.connect(tenancy.home.owner)
    try:
        rows = await owner.fetch(
            """SELECT c.relname, c.relrowsecurity, array(
                   SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p
                   WHERE has_table_privilege('callboard_door', c.oid, p)
                      OR (p IN ('SELECT', 'INSERT', 'UPDATE') AND has_any_column_privilege('callboard_door', c.oid, p)))
               FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm') AND c.relnamespace = 'public'::regnamespace"""
        )
    finally:
        await owner.close()
    assert {name for name, bound, _ in rows if bound} == {*OWN, *LIVE, *WRITERS, *CLOSED, "counter_rates"}
    assert {name for name, bound, allowed in rows if not bound and allowed} == READ_BY_ALL
    assert all(allowed == ["SELECT"] for name, _, allowed in rows if name in READ_BY_ALL)


async def test_a_door_touches_no_mark_of_another_writer(tenancy: Tenancy) -> None:
    """It would make that writer believe that a group was committed, or was not."""
    owner = await asyncpg.connect(tenancy.home.owner)
    try:
        await owner.execute("INSERT INTO marks (writer, mark) VALUES ('somebody', 7)")
    finally:
        await owner.close()
    async with tenancy.door() as db:
        assert await db.fetch("SELECT * FROM marks") == []
        assert await db.execute("UPDATE marks SET mark = 9") == "UPDATE 0"
        await db.execute("SET LOCAL callboard.writer = 'me'")
        await db.execute("INSERT INTO marks (writer, mark) VALUES ('me', 1)")
        assert await db.fetchval("SELECT mark FROM marks") == 1
    await tenancy.refuses("INSERT INTO marks (writer, mark) VALUES ('somebody', 9)")
    await tenancy.refuses(
        "INSERT INTO marks (writer, mark) VALUES ('somebody', 9) ON CONFLICT (writer) DO UPDATE SET mark = 9"
    )


async def test_a_door_counts_what_comes_through_doors_and_nothing_else(tenancy: Tenancy) -> None:
    """Else it could use up the rate of an upstream, which all workers share."""
    values = "counter_rates (name, used, at, void, found, granted) VALUES ('{}', 1, 0, 0, 0, 0)"
    owner = await asyncpg.connect(tenancy.home.owner)
    try:
        await owner.execute("INSERT INTO " + values.format("upstream:shop"))
    finally:
        await owner.close()
    async with tenancy.door() as db:
        assert await db.fetch("SELECT * FROM counter_rates") == []
        assert await db.execute("UPDATE counter_rates SET used = 9") == "UPDATE 0"
        await db.execute("INSERT INTO " + values.format("login:address:x"))
        assert await db.fetchval("SELECT name FROM counter_rates") == "login:address:x"
    await tenancy.refuses("INSERT INTO " + values.format("upstream:other"))
    await tenancy.refuses("DELETE FROM counter_rates")


async def test_a_worker_sees_every_tenant(tenancy: Tenancy) -> None:
    db = await asyncpg.connect(tenancy.home.worker)
    try:
        assert {row[0] for row in await db.fetch("SELECT tenant FROM runs")} == {TENANT, STRANGER}
        for table in OWN:
            assert await db.fetchval(f"SELECT count(*) FROM {table}") >= 2, table
        assert await db.execute("UPDATE runs SET updated_at = updated_at") == "UPDATE 2"
    finally:
        await db.close()
