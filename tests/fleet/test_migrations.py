"""A database is brought up to date once, whoever comes first, and old and new code work on it side by side."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
import pytest

from callboard.connections.postgres import Database
from callboard.domain.errors import StoreCorrupt, StoreError, StoreNewer, StoreUnavailable
from callboard.store.postgres import PostgresStore
from callboard.store.postgres.migrate import (
    AFTER,
    BEFORE,
    OLDEST,
    Migration,
    Part,
    known,
    migrate,
    prepare,
    require_version,
    status,
)
from tests.conformance.store.play import T0, TENANT, new_run
from tests.servers.pgbouncer import Bouncer
from tests.servers.postgres import PostgresServer

NewDatabase = Callable[..., str]
NEW_BEFORE = Migration(9001, "colour", BEFORE, "ALTER TABLE runs ADD COLUMN colour text")
NEW_AFTER = Migration(9001, "colour", AFTER, "ALTER TABLE runs DROP COLUMN error")
BROKEN = Migration(9002, "broken", BEFORE, "CREATE TABLE half (n int); SELECT * FROM nowhere")
NEW_CODE = (*known(), NEW_BEFORE, NEW_AFTER)


@pytest.fixture
def url(new_database: NewDatabase) -> str:
    return new_database("migrations")


def parts(migrations: object) -> list[Part]:
    return [m.part for m in migrations]  # type: ignore[attr-defined]


async def applied(url: str, migrations: object = NEW_CODE) -> set[Part]:
    found = await status(Database(url), migrations)  # type: ignore[arg-type]
    return {part for part, at in found.items() if at is not None}


async def usable(store: PostgresStore) -> None:
    """Opens a store, starts a run, and closes it."""
    await store.open()
    try:
        new = new_run()
        await store.runs.start(new)
        assert (await store.runs.get(TENANT, new.id)).created_at >= T0
    finally:
        await store.close()


def tables(postgres: PostgresServer, url: str) -> set[str]:
    rows = postgres.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace", url=url)
    return {row["relname"] for row in rows}


def with_user(url: str, user: str, password: str) -> str:
    whole = urlsplit(url)
    return urlunsplit(whole._replace(netloc=f"{user}:{password}@{whole.netloc.rpartition('@')[2]}"))


def test_the_files_are_numbered_in_order_and_each_begins_with_a_part_before() -> None:
    numbers = [m.number for m in known()]
    assert numbers == sorted(numbers)
    assert len({m.part for m in known()}) == len(known())
    assert {m.number for m in known()} == {m.number for m in known() if m.phase == BEFORE}


async def test_an_empty_database_gets_everything_when_it_is_opened(url: str) -> None:
    await usable(PostgresStore(url, migrations=NEW_CODE[:-1]))
    assert await applied(url) == {m.part for m in NEW_CODE[:-1]}


async def test_a_database_that_is_up_to_date_is_left_alone(url: str) -> None:
    assert parts(await migrate(Database(url))) == parts(known())
    assert await migrate(Database(url)) == []


async def test_processes_that_open_an_empty_database_at_once_all_succeed(url: str) -> None:
    await asyncio.gather(*[usable(PostgresStore(url)) for _ in range(5)])
    assert await applied(url, known()) == {m.part for m in known()}


async def test_processes_that_migrate_at_once_apply_each_part_once(url: str) -> None:
    await migrate(Database(url))
    done = await asyncio.gather(*[migrate(Database(url), migrations=NEW_CODE) for _ in range(4)])
    assert sorted(part for some in done for part in parts(some)) == [(9001, AFTER), (9001, BEFORE)]


async def test_databases_of_one_server_that_make_its_roles_at_once_all_succeed(new_database: NewDatabase) -> None:
    urls = [new_database("roles") for _ in range(3)]
    await asyncio.gather(*[migrate(Database(url)) for url in urls])


async def test_a_schema_is_made_through_a_bouncer(url: str, pgbouncer: Callable[..., Bouncer]) -> None:
    through = pgbouncer(url, pool_size=2).url(url) + "?pgbouncer=1"
    await asyncio.gather(*[usable(PostgresStore(through)) for _ in range(3)])
    assert await applied(through, known()) == {m.part for m in known()}


async def test_new_code_adds_what_it_needs_and_cleans_up_nothing_by_itself(url: str) -> None:
    await usable(PostgresStore(url))
    await usable(PostgresStore(url, migrations=NEW_CODE))
    assert (9001, BEFORE) in await applied(url)
    assert (9001, AFTER) not in await applied(url)


async def test_old_code_works_on_after_new_code_has_added_what_it_needs(url: str) -> None:
    old = PostgresStore(url)
    await old.open()
    await usable(PostgresStore(url, migrations=NEW_CODE))
    new = new_run()
    await old.runs.start(new)  # with connections from before, and ...
    assert (await old.runs.get(TENANT, new.id)).id == new.id
    await old.close()
    await usable(PostgresStore(url))  # ... with new ones


async def test_old_code_is_refused_once_later_code_has_cleaned_up(url: str) -> None:
    await migrate(Database(url), migrations=NEW_CODE)
    with pytest.raises(StoreNewer, match="9001"):
        await PostgresStore(url).open()
    with pytest.raises(StoreNewer):
        await migrate(Database(url))


async def test_phases_are_applied_apart(url: str) -> None:
    await migrate(Database(url))
    with pytest.raises(StoreError, match="before"):
        await migrate(Database(url), (AFTER,), NEW_CODE)
    assert parts(await migrate(Database(url), (BEFORE,), NEW_CODE)) == [(9001, BEFORE)]
    assert parts(await migrate(Database(url), (AFTER,), NEW_CODE)) == [(9001, AFTER)]


async def test_a_part_that_fails_leaves_nothing_behind_and_says_which_it_was(
    postgres: PostgresServer, url: str
) -> None:
    await migrate(Database(url))
    with pytest.raises(StoreError, match="9002 broken") as caught:
        await migrate(Database(url), migrations=(*NEW_CODE, BROKEN))
    assert "nowhere" in str(caught.value)
    assert "half" not in tables(postgres, url)
    assert (9001, AFTER) in await applied(url), "what came before it stays"


async def test_a_first_migration_that_fails_leaves_the_database_empty(postgres: PostgresServer, url: str) -> None:
    with pytest.raises(StoreError, match="9002 broken"):
        await PostgresStore(url, migrations=(*known(), BROKEN)).open()
    assert tables(postgres, url) == set()


@pytest.mark.parametrize("table", ["runs", "events", "schedules"])
async def test_another_programs_tables_are_refused_and_left_alone(
    postgres: PostgresServer, url: str, table: str
) -> None:
    postgres.execute(f"CREATE TABLE {table} (theirs int)", url=url)
    for attempt in (PostgresStore(url).open(), migrate(Database(url))):
        with pytest.raises(StoreCorrupt, match="another program"):
            await attempt
    assert tables(postgres, url) == {table}


async def test_tables_of_other_names_do_not_matter(postgres: PostgresServer, url: str) -> None:
    postgres.execute("CREATE TABLE customers (id int)", url=url)
    await usable(PostgresStore(url))


async def test_a_worker_opens_a_database_that_is_up_to_date(postgres: PostgresServer, url: str) -> None:
    await migrate(Database(url))
    await usable(PostgresStore(postgres.roles(url).worker))


@pytest.mark.parametrize("door", [False, True])
async def test_a_user_who_may_not_change_the_schema_is_told_what_to_run(
    postgres: PostgresServer, url: str, door: bool
) -> None:
    await migrate(Database(url))
    roles = postgres.roles(url)
    user = roles.door if door else roles.worker
    with pytest.raises(StoreError, match="callboard db migrate --store") as caught:
        await PostgresStore(user, door=door, migrations=NEW_CODE).open()
    assert (urlsplit(user).password or "") not in str(caught.value)
    assert (9001, BEFORE) not in await applied(url)


async def test_a_worker_cannot_fill_an_empty_database_and_is_told_so(postgres: PostgresServer, url: str) -> None:
    await migrate(Database(url))
    worker = postgres.roles(url).worker
    empty = postgres.new_database("empty")
    try:
        with pytest.raises(StoreError, match="callboard db migrate --store"):
            await PostgresStore(urlunsplit(urlsplit(worker)._replace(path=urlsplit(empty).path))).open()
        assert tables(postgres, empty) == set()
    finally:
        postgres.drop_database(empty)


@pytest.fixture
def stranger(postgres: PostgresServer, url: str) -> object:
    """A user who is a member of nothing."""
    name = urlsplit(url).path.strip("/")[-40:] + "_stranger"
    postgres.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD 'x'")
    yield with_user(url, name, "x")
    postgres.execute(f'DROP OWNED BY "{name}"', url=url)
    postgres.execute(f'DROP ROLE "{name}"')


async def test_a_user_of_neither_role_is_told_which_to_grant(url: str, stranger: str) -> None:
    await migrate(Database(url))
    for door in (False, True):
        with pytest.raises(StoreError, match="GRANT callboard_worker"):
            await PostgresStore(stranger, door=door).open()


async def test_a_door_that_opens_the_store_as_a_worker_is_refused(postgres: PostgresServer, url: str) -> None:
    """It would see no runs at all, and believe that there are none."""
    await migrate(Database(url))
    with pytest.raises(StoreError, match="GRANT callboard_worker"):
        await PostgresStore(postgres.roles(url).door).open()


async def test_an_owner_who_is_no_superuser_makes_the_schema(postgres: PostgresServer, url: str) -> None:
    name = urlsplit(url).path.strip("/")
    owner = f"{name[-40:]}_owner"
    postgres.execute(f"CREATE ROLE \"{owner}\" LOGIN CREATEROLE PASSWORD 'x'")
    try:
        postgres.execute(f'ALTER DATABASE "{name}" OWNER TO "{owner}"')
        await usable(PostgresStore(with_user(url, owner, "x")))
        # If another owner made the roles of this server, they are his.
        postgres.execute(f'GRANT callboard_door TO "{owner}"')
        await usable(PostgresStore(with_user(url, owner, "x"), door=True))
    finally:
        postgres.execute(f'DROP OWNED BY "{owner}" CASCADE', url=url)
        postgres.execute(f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER')
        postgres.execute(f'REVOKE callboard_door FROM "{owner}"')
        postgres.execute(f'DROP ROLE "{owner}"')


async def test_a_change_does_not_wait_for_ever_for_a_table_in_use(url: str) -> None:
    await migrate(Database(url))
    slow = msgspec.structs.replace(
        NEW_BEFORE, script=f"SET LOCAL lock_timeout = '50ms'; {NEW_BEFORE.script}"
    )  # its own patience is shorter than everybody's
    db = await asyncpg.connect(url)
    try:
        async with db.transaction():
            await db.execute("LOCK TABLE runs IN ACCESS SHARE MODE")
            with pytest.raises(StoreUnavailable, match="9001 colour"):
                await migrate(Database(url), migrations=(*known(), slow))
    finally:
        await db.close()
    assert parts(await migrate(Database(url), migrations=(*known(), slow))) == [(9001, BEFORE)]


async def test_the_status_shows_what_is_there_and_what_is_missing(url: str) -> None:
    assert set((await status(Database(url))).values()) == {None}
    await migrate(Database(url))
    await migrate(Database(url), (BEFORE,), NEW_CODE)
    found = await status(Database(url), NEW_CODE)
    assert list(found)[-2:] == [(9001, BEFORE), (9001, AFTER)]
    assert found[9001, AFTER] is None
    assert all(at is not None for part, at in found.items() if part != (9001, AFTER))
    assert (9001, BEFORE) in await status(Database(url)), "code that does not know it shows it too"


async def test_preparing_needs_nothing_but_the_schema(url: str) -> None:
    await prepare(Database(url), known())
    await prepare(Database(url, door=True), known())


def test_a_server_that_is_too_old_is_refused() -> None:
    require_version("it", OLDEST)
    with pytest.raises(StoreError, match=r"PostgreSQL 14.*15 or later"):
        require_version("it", 14)
