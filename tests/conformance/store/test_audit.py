"""Every tenant has one unbroken chain of deeds, whoever writes to it, and the database lets nobody change one."""

import asyncio
import contextlib
from typing import Any

import apsw
import asyncpg
import msgspec
import pytest

from callboard.domain.errors import InputInvalid
from callboard.store.audit import FIRST, LARGEST, Entry, broken, seal
from callboard.store.postgres import PostgresStore
from callboard.store.sqlite import SqliteStore
from callboard.store.store import Store
from tests.conformance.store.access import deed
from tests.conformance.store.adapters import Postgres, SqliteFile
from tests.conformance.store.play import STRANGER, T0, TENANT


async def append(store: Store, count: int, tenant: str = TENANT) -> list[Entry]:
    return [await store.audit.append(tenant, deed(n)) for n in range(count)]


async def numbers(store: Store, **wanted: Any) -> list[int]:
    return [entry.number for entry in await store.audit.find(TENANT, **wanted)]


async def test_entries_are_numbered_sealed_and_read_as_they_were_appended(store: Store) -> None:
    full = deed(2, before={"grants": [], "n": 1.5}, after=["näïve 🎭 '--", None], outcome="conflict", at=T0 + 1 / 3)
    mine = [await store.audit.append(TENANT, each) for each in (deed(1), full)]
    theirs = await store.audit.append(STRANGER, deed(3))
    assert [entry.deed for entry in mine] == [deed(1), full]
    assert await store.audit.find(TENANT) == mine[::-1]
    read = await store.audit.read(TENANT)
    assert [entry for entry, _ in read] == mine
    assert mine[0].seal == seal(FIRST, TENANT, 1, read[0][1])
    assert mine[1].seal == seal(mine[0].seal, TENANT, 2, read[1][1])
    assert (theirs.number, await store.audit.find(STRANGER)) == (1, [theirs])
    assert await store.audit.tenants() == [TENANT, STRANGER]
    assert await store.audit.read("nobody") == []


async def test_entries_are_found_by_what_is_asked_of_them(store: Store) -> None:
    for n, changes in enumerate(
        (
            {"action": "login", "object": "person:mia"},
            {"action": "runs:cancel"},
            {"action": "runs:requeue", "actor": "key:9f3a"},
            {"action": "run", "object": "run:1"},
            {"action": "runs:cancel", "object": "run:1", "actor": "key:9f3a"},
        )
    ):
        await store.audit.append(TENANT, deed(n, **changes))
    assert await numbers(store, action="runs:*") == [5, 3, 2]
    assert await numbers(store, action="runs:cancel") == [5, 2]
    assert await numbers(store, action="run") == [4]
    assert await numbers(store, action="*") == [5, 4, 3, 2, 1]
    assert await numbers(store, actor="key:9f3a") == [5, 3]
    assert await numbers(store, actor="key:9f3a", object="run:1") == [5]
    assert await numbers(store, object="run:1") == [5, 4, 2]
    assert await numbers(store, object="run:1", before=5, limit=1, action="run*") == [4]
    assert await numbers(store, since=T0 + 1, until=T0 + 3) == [4, 3, 2]
    assert await numbers(store, before=4, limit=2) == [3, 2]
    for nothing in ("' OR true --", "\0", "\ud800", "%", "x" * 100_000):
        assert await numbers(store, actor=nothing) == await numbers(store, object=nothing) == []
        assert await numbers(store, action=nothing) == []
    assert [entry.number for entry, _ in await store.audit.read(TENANT, after=2, limit=2)] == [3, 4]


async def test_parallel_appends_of_two_stores_end_in_one_unbroken_chain(store: Store, other: Store) -> None:
    made = await asyncio.gather(*[(store, other)[n % 2].audit.append(TENANT, deed(n)) for n in range(20)])
    assert sorted(entry.number for entry in made) == list(range(1, 21))
    rows = await store.audit.read(TENANT)
    assert len(rows) == 20
    assert broken(rows) is None
    assert {entry.deed.object for entry, _ in rows} == {f"run:{n}" for n in range(20)}


async def test_what_cannot_be_recorded_is_refused_and_leaves_no_gap(store: Store) -> None:
    for bad in (deed(after="x" * LARGEST), deed(name="\ud800"), deed(before=object())):
        with pytest.raises(InputInvalid, match="runs:cancel"):
            await store.audit.append(TENANT, bad)
    entry = await store.audit.append(TENANT, deed(object="login:" + "x" * 10_000 + "\0", after="\0"))
    assert (entry.number, entry.deed.object[-1], entry.deed.after) == (1, "\ufffd", "\0")
    assert await store.audit.find(TENANT, object=entry.deed.object) == [entry]


class Owner:
    """The database's owner at work, as nobody is who comes in by Callboard."""

    def __init__(self, sqlite: str, postgres: str) -> None:
        self._sqlite, self._postgres = sqlite, postgres

    async def does(self, *statements: str) -> None:
        """In one transaction."""
        if self._sqlite:
            db = apsw.Connection(self._sqlite)
            with contextlib.closing(db), db:
                for statement in statements:
                    db.execute(statement).fetchall()
            return
        owner = await asyncpg.connect(self._postgres)
        try:
            async with owner.transaction():
                for statement in statements:
                    await owner.execute(statement)
        finally:
            await owner.close()

    async def tampers(self, statement: str) -> None:
        """With the triggers out of the way."""
        if self._sqlite:
            db = apsw.Connection(self._sqlite)
            made = [
                (str(name), str(sql))
                for name, sql in db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
            ]
            db.close()
            await self.does(*[f"DROP TRIGGER {name}" for name, _ in made], statement, *[sql for _, sql in made])
        else:
            alter = "ALTER TABLE access_audit {} TRIGGER USER"
            await self.does(alter.format("DISABLE"), statement, alter.format("ENABLE"))


# Memory has no owner beside its store, and behind a bouncer it is the same server.
owned = pytest.mark.parametrize("adapter", [SqliteFile, Postgres], ids=lambda adapter: adapter.name, indirect=True)


@pytest.fixture
async def owner(request: pytest.FixtureRequest, store: Store) -> Owner:
    """Of a database in which TENANT has five entries."""
    await append(store, 5)
    if isinstance(store, SqliteStore):
        return Owner(store.path, "")
    return Owner("", request.getfixturevalue("postgres_home").owner)


@owned
async def test_the_database_lets_not_even_its_owner_change_the_past(owner: Owner, store: Store) -> None:
    before = await store.audit.read(TENANT)
    row = "access_audit VALUES ('acme', {}, 0, '', '', '', '1', '1')"
    for statement in (
        "UPDATE access_audit SET actor = 'key:other' WHERE number = 3",
        "DELETE FROM access_audit WHERE number = 5",
        f"INSERT INTO {row.format(7)}",
        f"INSERT INTO {row.format(5)} ON CONFLICT (tenant, number) DO UPDATE SET seal = '2'",
        f"INSERT OR REPLACE INTO {row.format(5)}" if isinstance(store, SqliteStore) else "TRUNCATE access_audit",
    ):
        with pytest.raises((apsw.ConstraintError, asyncpg.InsufficientPrivilegeError), match="audit log"):
            await owner.does(statement)
    assert await store.audit.read(TENANT) == before


@owned
@pytest.mark.parametrize(
    ("tampering", "at"),
    [
        ("UPDATE access_audit SET deed = {other} WHERE number = 3", 3),
        ("UPDATE access_audit SET deed = {junk} WHERE number = 5", 5),
        ("UPDATE access_audit SET seal = {junk} WHERE number = 1", 1),
        ("UPDATE access_audit SET actor = 'key:other' WHERE number = 4", 4),
        ("UPDATE access_audit SET action = 'runs:read' WHERE number = 2", 2),
        ("UPDATE access_audit SET at = at + 1 WHERE number = 2", 2),
        ("UPDATE access_audit SET tenant = 'zenith' WHERE number = 3", 3),
        ("DELETE FROM access_audit WHERE number = 1", 1),
        ("DELETE FROM access_audit WHERE number IN (3, 4)", 3),
    ],
)
async def test_who_gets_past_the_triggers_breaks_the_chain_where_it_was_done(
    owner: Owner, store: Store, tampering: str, at: int
) -> None:
    assert broken(await store.audit.read(TENANT)) is None
    literal = "'\\x{}'" if isinstance(store, PostgresStore) else "x'{}'"
    other = msgspec.json.encode(msgspec.structs.replace(deed(2), outcome="denied"))
    await owner.tampers(tampering.format(other=literal.format(other.hex()), junk=literal.format("ff")))
    assert broken(await store.audit.read(TENANT)) == at
    assert len(await store.audit.find(TENANT)) >= 3, "the rest can still be looked at"
    await store.audit.append(TENANT, deed(9))
    assert broken(await store.audit.read(TENANT)) == at, "what comes later does not mend it"


async def test_a_chain_is_looked_at_page_by_page(store: Store) -> None:
    await append(store, 5)
    last: Entry | None = None
    seen = 0
    while rows := await store.audit.read(TENANT, after=last.number if last else 0, limit=2):
        assert broken(rows, last) is None
        last, seen = rows[-1][0], seen + len(rows)
    assert seen == 5
    later = await store.audit.read(TENANT, after=3)
    assert broken(later) == 1, "without what is before it, it is no chain"
    assert broken(later, later[0][0]) == 5, "an entry is not its own successor"
