"""A door recognises whoever comes in, of whichever tenant; beyond that it knows and writes one tenant's access."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from callboard.domain.errors import Conflict, NotFound
from callboard.store.audit import broken
from callboard.store.postgres import PostgresStore
from tests.conformance.store.access import deed, key, login, person
from tests.conformance.store.play import STRANGER, T0, TENANT
from tests.fleet.tenancy import Tenancy


@pytest.fixture(params=["owner", "worker", "door"])
async def door(request: pytest.FixtureRequest, tenancy: Tenancy) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(getattr(tenancy.home, request.param), door=True)
    await store.open()
    yield store
    await store.close()


async def test_a_door_recognises_everybody_and_acts_for_one_tenant(door: PostgresStore) -> None:
    for tenant in (TENANT, STRANGER):
        assert await door.keys.find(f"{tenant}-key") == key(id=f"{tenant}-key", tenant=tenant)
        assert await door.people.find(f"{tenant}-mia") == person(login=f"{tenant}-mia", tenant=tenant)
        assert await door.people.entered(tenant.encode()) == login(mac=tenant.encode(), tenant=tenant)
        assert [k.id for k in await door.keys.list(tenant)] == [f"{tenant}-key"]
        assert [p.login for p in await door.people.list(tenant)] == [f"{tenant}-mia"]
    assert await door.keys.any()

    await door.keys.add(key())
    await door.keys.used(TENANT, "9f3a", T0)
    await door.keys.expire(TENANT, "9f3a", T0 + 9)
    assert await door.keys.revoke(TENANT, "9f3a", T0 + 1) == key(used_at=T0, expires_at=T0 + 9, revoked_at=T0 + 1)
    with pytest.raises(Conflict):
        await door.keys.add(key(id=f"{STRANGER}-key"))
    with pytest.raises(NotFound):
        await door.keys.revoke(TENANT, f"{STRANGER}-key", T0)

    await door.people.put(person())
    changed = person(name="Mia the second", grants=())
    await door.people.put(changed)
    assert await door.people.find("mia") == changed
    with pytest.raises(Conflict):
        await door.people.put(person(login=f"{STRANGER}-mia", grants=()))
    assert await door.people.find(f"{STRANGER}-mia") == person(login=f"{STRANGER}-mia", tenant=STRANGER)

    for n in range(2):
        await door.people.enter(login(mac=b"%d" % n))
    await door.people.leave(TENANT, b"0")
    await door.people.leave(TENANT, STRANGER.encode())
    assert await door.people.leave_all(TENANT, "person", "mia") == 2
    assert await door.people.entered(STRANGER.encode()) is not None
    assert await door.people.forget(T0 + 1_000) == 0, "that is for workers"

    await door.audit.append(TENANT, deed(1))
    assert broken(await door.audit.read(TENANT)) is None
    assert [(e.tenant, e.number) for e in await door.audit.find(TENANT)] == [(TENANT, 2), (TENANT, 1)]
    assert [(e.tenant, e.number) for e in await door.audit.find(STRANGER)] == [(STRANGER, 1)]
    assert await door.audit.tenants() == []


async def test_whatever_a_door_is_made_to_say_it_keeps_to_its_tenant_and_to_the_past(tenancy: Tenancy) -> None:
    for statement in (
        "INSERT INTO access_keys VALUES ('x', '{theirs}', '', '', '[]', 0, '')",
        "INSERT INTO access_people VALUES ('x', '{theirs}', '', '', '[]', 0, '')",
        "INSERT INTO access_logins VALUES ('x', '{theirs}', 'person', '{theirs}-mia', '', '[]', 0, 9)",
        "INSERT INTO access_audit VALUES ('{theirs}', 2, 0, '', '', '', '', '')",
        "INSERT INTO access_audit VALUES ('{mine}', 9, 0, '', '', '', '', '')",
        "UPDATE access_keys SET grants = '[]'",
        "UPDATE access_keys SET mac = ''",
        "UPDATE access_keys SET tenant = '{theirs}'",
        "UPDATE access_people SET tenant = '{theirs}'",
        "UPDATE access_people SET login = 'other'",
        "UPDATE access_logins SET subject = 'other'",
        "UPDATE access_audit SET deed = ''",
        "DELETE FROM access_keys",
        "DELETE FROM access_people",
        "DELETE FROM access_audit",
        "TRUNCATE access_audit",
        "ALTER TABLE access_audit DISABLE TRIGGER USER",
        "SET LOCAL session_replication_role = replica",
    ):
        await tenancy.refuses(statement.format(theirs=STRANGER, mine=TENANT))
    async with tenancy.door() as db:
        assert await db.execute("UPDATE access_keys SET revoked_at = 0 WHERE tenant = $1", STRANGER) == "UPDATE 0"
        assert await db.execute("UPDATE access_people SET disabled_at = 0") == "UPDATE 1"
        assert await db.execute("DELETE FROM access_logins") == "DELETE 1"
        await db.execute("CREATE TEMP TABLE access_keys (id text, tenant text, mac bytea)")
        await db.execute("INSERT INTO pg_temp.access_keys VALUES ('forged', 'x', 'x')")
        assert await db.fetch("SELECT * FROM callboard_key('forged')") == []
        await db.execute("CREATE TEMP TABLE access_audit (tenant text, number bigint)")
        await db.execute("INSERT INTO pg_temp.access_audit VALUES ($1, 8)", TENANT)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="audit log"):
            await db.execute("INSERT INTO public.access_audit VALUES ($1, 9, 0, '', '', '', '', '')", TENANT)


async def test_workers_change_no_past_either_and_forget_for_all_tenants(tenancy: Tenancy) -> None:
    db = await asyncpg.connect(tenancy.home.worker)
    try:
        for statement in ("UPDATE access_audit SET deed = ''", "DELETE FROM access_audit", "DELETE FROM access_keys"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement)
    finally:
        await db.close()
    worker = PostgresStore(tenancy.home.worker)
    await worker.open()
    try:
        assert await worker.people.forget(T0 + 1_000) == 2
        assert await worker.audit.tenants() == [TENANT, STRANGER]
    finally:
        await worker.close()


async def test_only_the_two_roles_may_ask_who_somebody_is(tenancy: Tenancy) -> None:
    owner = await asyncpg.connect(tenancy.home.owner)
    may = "SELECT has_function_privilege($1, $2, 'EXECUTE')"
    try:
        for function in ("callboard_key(text)", "callboard_person(text)", "callboard_entered(bytea)"):
            assert await owner.fetchval(may, "callboard_door", function)
            assert await owner.fetchval(may, "callboard_worker", function)
            assert not await owner.fetchval(may, "public", function)
    finally:
        await owner.close()
