"""A key is kept with what it may do, found by its id alone, ended once, and its use noted once a minute."""

import pytest

from callboard.domain.errors import Conflict, NotFound
from callboard.store.keys import Key
from callboard.store.store import Store
from tests.conformance.store.access import key
from tests.conformance.store.play import STRANGER, T0, TENANT


@pytest.mark.parametrize(
    "kept",
    [
        key(),
        key(grants=(), mac=b"\0" * 32, name=""),
        key(expires_at=T0 + 0.25, revoked_at=T0 + 9, used_at=T0 + 1 / 3, replaces="older", name="näïve 🎭 '--"),
    ],
)
async def test_a_key_is_found_by_its_id_as_it_was_added(store: Store, kept: Key) -> None:
    assert not await store.keys.any()
    await store.keys.add(kept)
    assert await store.keys.find(kept.id) == kept
    assert await store.keys.list(TENANT) == [kept]
    assert await store.keys.any()


async def test_one_id_is_one_key_over_all_tenants(store: Store) -> None:
    await store.keys.add(key())
    for again in (key(name="again"), key(tenant=STRANGER)):
        with pytest.raises(Conflict):
            await store.keys.add(again)
    assert await store.keys.find("9f3a") == key()
    assert await store.keys.list(STRANGER) == []


async def test_nothing_but_the_very_id_finds_a_key(store: Store) -> None:
    await store.keys.add(key())
    for name in ("", "9f3", "9F3A", "9f3a ", "%", "9f3a\0", "\ud800", "x" * 100_000):
        assert await store.keys.find(name) is None


async def test_keys_of_a_tenant_are_listed_newest_first(store: Store) -> None:
    for at, name in enumerate(("old", "middle", "new")):
        await store.keys.add(key(id=name, created_at=T0 + at))
    await store.keys.add(key(id="theirs", tenant=STRANGER))
    assert [k.id for k in await store.keys.list(TENANT)] == ["new", "middle", "old"]


async def test_a_key_is_ended_at_the_earliest_time_that_was_said(store: Store) -> None:
    await store.keys.add(key())
    assert (await store.keys.expire(TENANT, "9f3a", T0 + 60)).expires_at == T0 + 60
    assert (await store.keys.expire(TENANT, "9f3a", T0 + 90)).expires_at == T0 + 60
    assert await store.keys.expire(TENANT, "9f3a", T0 + 30) == key(expires_at=T0 + 30)
    assert (await store.keys.revoke(TENANT, "9f3a", T0 + 10)).revoked_at == T0 + 10
    assert await store.keys.revoke(TENANT, "9f3a", T0 + 20) == key(expires_at=T0 + 30, revoked_at=T0 + 10)
    assert await store.keys.find("9f3a") == key(expires_at=T0 + 30, revoked_at=T0 + 10)


async def test_a_use_is_noted_once_a_minute_and_is_never_refused(store: Store) -> None:
    await store.keys.add(key())
    noted = []
    for at in (T0, T0 + 59, T0 + 60, T0 + 1, T0 + 130):
        await store.keys.used(TENANT, "9f3a", at)
        found = await store.keys.find("9f3a")
        noted.append(found and found.used_at)
    assert noted == [T0, T0, T0 + 60, T0 + 60, T0 + 130]
    await store.keys.revoke(TENANT, "9f3a", T0 + 131)
    await store.keys.used(TENANT, "9f3a", T0 + 500)
    await store.keys.used(TENANT, "nobody's", T0)


async def test_a_key_is_out_of_another_tenants_hands(store: Store) -> None:
    await store.keys.add(key())
    for act in (store.keys.expire, store.keys.revoke):
        with pytest.raises(NotFound) as foreign:
            await act(STRANGER, "9f3a", T0)
        with pytest.raises(NotFound) as unknown:
            await act(STRANGER, "none", T0)
        assert str(foreign.value) == str(unknown.value).replace("none", "9f3a")
    await store.keys.used(STRANGER, "9f3a", T0)
    assert await store.keys.find("9f3a") == key()
