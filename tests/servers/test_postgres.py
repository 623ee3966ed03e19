"""The PostgreSQL that tests get: their own databases and users, and nothing done to a server that is not ours."""

import asyncio
from collections.abc import Callable

import asyncpg
import msgspec
import pytest

from tests.servers.card import ForeignServer
from tests.servers.postgres import PostgresServer, Roles

MakeServer = Callable[..., PostgresServer]
MakeDatabase = Callable[..., str]


async def fetch(url: str, sql: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def test_every_database_is_a_new_and_empty_one(new_database: MakeDatabase) -> None:
    first, second = new_database("It's a Hint"), new_database("It's a Hint")
    await fetch(first, "CREATE TABLE t (n int)")
    assert await fetch(second, "SELECT to_regclass('t')::text") == [(None,)]


async def test_a_database_can_begin_as_the_copy_of_another(new_database: MakeDatabase) -> None:
    model = new_database("model")
    await fetch(model, "CREATE TABLE t AS SELECT 7 AS n")
    assert await fetch(new_database("copy", template=model), "SELECT n FROM t") == [(7,)]


def test_a_database_that_was_not_made_here_is_left_alone(postgres: PostgresServer) -> None:
    with pytest.raises(ForeignServer):
        postgres.drop_database(postgres.url)


async def test_a_dropped_database_is_gone_whoever_is_connected(postgres: PostgresServer) -> None:
    url = postgres.new_database("dropped")
    connection = await asyncpg.connect(url)
    postgres.drop_database(url)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetch("SELECT 1")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)


def test_the_server_of_all_cannot_be_stopped(postgres: PostgresServer) -> None:
    with pytest.raises(AssertionError, match="shared"):
        postgres.restart()


async def test_roles_own_nothing_and_are_no_superusers(private_postgres: MakeServer) -> None:
    server = private_postgres()
    url = server.new_database("roles")
    for group in ("callboard_worker", "callboard_door"):
        server.execute(f"CREATE ROLE {group} NOLOGIN")
    roles = server.roles(url)
    sql = "SELECT rolsuper, rolbypassrls, pg_has_role('callboard_worker', 'member') FROM pg_roles WHERE rolname = user"
    assert await fetch(roles.worker, sql) == [(False, False, True)]
    assert await fetch(roles.door, sql) == [(False, False, False)]
    assert await fetch(roles.door, "SELECT pg_has_role('callboard_door', 'member')") == [(True,)]
    server.drop_database(url)
    assert server.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'callboard\\_%' AND rolcanlogin") == []


def test_passwords_are_not_shown(postgres: PostgresServer) -> None:
    assert postgres.card.password not in repr(postgres) + repr(postgres.card) if postgres.own else True
    assert "hidden" not in repr(Roles("postgresql://a:hidden@h/d", "postgresql://b:hidden@h/d"))


@pytest.mark.parametrize("durable", [True, False])
def test_a_private_server_is_durable_if_asked(private_postgres: MakeServer, durable: bool) -> None:
    server = private_postgres(durable=durable, max_connections=17)
    names = ("fsync", "full_page_writes", "synchronous_commit", "max_connections")
    found = [server.execute("SELECT current_setting($1) AS v", name)[0]["v"] for name in names]
    assert found == (["on", "on", "on", "17"] if durable else ["off", "off", "on", "17"])


async def test_what_was_committed_outlives_every_kind_of_restart(private_postgres: MakeServer) -> None:
    server = private_postgres()
    url = server.new_database("kept")
    await fetch(url, "CREATE TABLE t (how text)")
    for how in ("fast", "immediate", "kill"):
        connection = await asyncpg.connect(url)
        await connection.execute("INSERT INTO t VALUES ($1)", how)
        await asyncio.to_thread(server.restart, how)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetch("SELECT 1")
    assert await fetch(url, "SELECT how FROM t") == [("fast",), ("immediate",), ("kill",)]


async def test_a_stopped_server_refuses_and_a_frozen_one_says_nothing(private_postgres: MakeServer) -> None:
    server = private_postgres()
    connection = await asyncpg.connect(server.url)
    server.freeze()
    asking = asyncio.create_task(connection.fetchval("SELECT 7"))
    done, _ = await asyncio.wait([asking], timeout=0.5)
    assert not done
    server.thaw()
    assert await asking == 7
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(server.url)


def test_a_frozen_server_can_be_stopped(private_postgres: MakeServer) -> None:
    server = private_postgres()
    server.freeze()
    server.restart()
    assert server.execute("SELECT 1 AS one")[0]["one"] == 1


@pytest.mark.parametrize("known", [True, False], ids=["lets us in", "does not know us"])
def test_nothing_is_done_to_a_server_that_is_not_ours(private_postgres: MakeServer, known: bool) -> None:
    ours, theirs = private_postgres(), private_postgres()
    ours.stop()
    # What now answers under our name is theirs, as if it had taken our port.
    password = theirs.card.password if known else ours.card.password
    card = msgspec.structs.replace(ours.card, port=theirs.port, password=password)
    url = f"postgresql://callboard:{card.password}@127.0.0.1:{card.port}/postgres"
    confused = PostgresServer(url, card=card)
    with pytest.raises(ForeignServer):
        confused.prove()
    with pytest.raises(ForeignServer):
        confused.new_database("intruder")
    assert theirs.execute("SELECT datname FROM pg_database WHERE datname LIKE 'callboard%'") == []


def test_a_given_server_is_used_and_left_as_it_was(private_postgres: MakeServer) -> None:
    theirs = private_postgres()
    before = theirs.execute("SELECT datname FROM pg_database ORDER BY 1")
    given = PostgresServer.given(theirs.url)
    assert not given.own
    given.new_database("guest")
    assert theirs.execute("SELECT datname FROM pg_database ORDER BY 1") != before
    given.close()
    assert theirs.execute("SELECT datname FROM pg_database ORDER BY 1") == before
