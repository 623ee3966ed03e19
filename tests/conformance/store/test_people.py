"""Somebody is kept under one log-in over all tenants; who is logged in is known by the cookie's digest alone."""

import msgspec
import pytest

from callboard.domain.errors import Conflict
from callboard.store.store import Store
from tests.conformance.store.access import GRANTS, MAC, login, person
from tests.conformance.store.play import STRANGER, T0, TENANT


async def test_somebody_is_found_by_log_in_and_changed_in_place(store: Store) -> None:
    assert not await store.keys.any()
    await store.people.put(person())
    assert await store.keys.any()
    assert await store.people.find("mia") == person()
    changed = person(
        name="Mia 🎭", password="other", grants=(), created_at=T0 + 1, created_by="x", disabled_at=T0 + 2.5
    )
    await store.people.put(changed)
    assert await store.people.find("mia") == changed
    assert await store.people.list(TENANT) == [changed]


async def test_a_log_in_belongs_to_one_tenant(store: Store) -> None:
    await store.people.put(person())
    with pytest.raises(Conflict, match="mia"):
        await store.people.put(person(tenant=STRANGER, grants=()))
    assert await store.people.find("mia") == person()
    assert await store.people.list(STRANGER) == []


async def test_nothing_but_the_very_log_in_finds_somebody(store: Store) -> None:
    await store.people.put(person())
    for name in ("", "Mia", "mia ", "m%", "mia\0", "\ud800", "x" * 100_000):
        assert await store.people.find(name) is None


async def test_people_of_a_tenant_are_listed_by_log_in(store: Store) -> None:
    for name in ("b", "a", "B"):
        await store.people.put(person(login=name))
    await store.people.put(person(login="theirs", tenant=STRANGER))
    assert [p.login for p in await store.people.list(TENANT)] == ["B", "a", "b"]


async def test_who_is_logged_in_is_known_until_they_leave(store: Store) -> None:
    token = login(mac=b"2", kind="oidc", subject="https://issuer|näïve", grants=GRANTS)
    for each in (login(), token):
        await store.people.enter(each)
        assert await store.people.entered(each.mac) == each
    assert await store.people.entered(b"3") is None
    await store.people.leave(STRANGER, MAC)
    assert await store.people.entered(MAC) == login()
    await store.people.leave(TENANT, MAC)
    await store.people.leave(TENANT, MAC)
    assert await store.people.entered(MAC) is None
    assert await store.people.entered(b"2") == token


async def test_all_log_ins_of_one_subject_end_at_once(store: Store) -> None:
    for n, changes in enumerate(({}, {}, {"kind": "key"}, {"subject": "ben"}, {"tenant": STRANGER})):
        await store.people.enter(msgspec.structs.replace(login(mac=b"%d" % n), **changes))
    assert await store.people.leave_all(TENANT, "person", "mia") == 2
    assert await store.people.leave_all(TENANT, "person", "mia") == 0
    assert [await store.people.entered(b"%d" % n) is not None for n in range(5)] == [False, False, True, True, True]


async def test_log_ins_that_expired_are_forgotten_over_all_tenants(store: Store) -> None:
    for n, tenant in enumerate((TENANT, STRANGER, TENANT)):
        await store.people.enter(login(mac=b"%d" % n, tenant=tenant, expires_at=T0 + n))
    assert await store.people.forget(T0) == 0
    assert await store.people.forget(T0 + 2) == 2
    assert await store.people.forget(T0 + 2) == 0
    assert await store.people.entered(b"2") is not None
