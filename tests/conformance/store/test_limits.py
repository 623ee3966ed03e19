"""What operators allow, and where they look."""

import pytest

from callboard.domain.budget import ZERO, Amount, Balance, Bound
from callboard.domain.run import RunStatus
from callboard.store.store import Store
from tests.conformance.store.charging import ONE, balance, charge, limit, reserve, settle
from tests.conformance.store.play import STRANGER, T0, TENANT, end, many_running, running

NAMES = ("agent:a", "agent:b", "agent:b@2026-11-21", "run:1", "run:2", "tenant", "tenant@2026-11")


async def test_limits_are_kept_by_tenant_scope_name_and_period(store: Store) -> None:
    kept = [
        limit(),
        limit(period="month", bound=Bound(tokens=7, calls=0)),
        limit(scope="run", warn=()),
        limit("zeus"),
        limit(tenant=STRANGER),
    ]
    for each in reversed(kept):
        await store.budgets.put(each)
    assert await store.budgets.limits() == [kept[0], kept[1], kept[3], kept[2], kept[4]]


async def test_a_limit_takes_the_place_of_the_one_before_and_can_be_lifted(store: Store) -> None:
    await store.budgets.put(limit())
    later = limit(bound=Bound(calls=1), warn=(), by="zoe", at=T0 + 1)
    await store.budgets.put(later)
    assert await store.budgets.limits() == [later]
    assert await store.budgets.remove(TENANT, "agent", "writer", "month") is False
    assert await store.budgets.remove(STRANGER, "agent", "writer", "day") is False
    assert await store.budgets.remove(TENANT, "agent", "writer", "day") is True
    assert await store.budgets.limits() == []


async def test_accounts_are_listed_by_name_page_by_page(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, *map(charge, reversed(NAMES)))
    assert list(await store.budgets.accounts(TENANT)) == sorted(NAMES)
    assert list(await store.budgets.accounts(TENANT, prefix="agent:b")) == ["agent:b", "agent:b@2026-11-21"]
    assert list(await store.budgets.accounts(TENANT, prefix="run:", after="run:1")) == ["run:2"]
    assert list(await store.budgets.accounts(TENANT, limit=2, after="agent:b")) == ["agent:b@2026-11-21", "run:1"]
    assert await store.budgets.accounts(TENANT, prefix="z") == await store.budgets.accounts(STRANGER) == {}
    assert set((await store.budgets.accounts(TENANT)).values()) == {Balance(ZERO, ONE)}


async def test_balances_are_of_all_that_are_asked_for(store: Store) -> None:
    held = await running(store)
    await reserve(store, held, charge("a"), charge("b"), amount=Amount(2**40, 2**41, 1, 2**42))
    found = await store.budgets.balances(TENANT, ["b", "c", "a", "b"])
    assert found == {"a": found["b"], "b": Balance(ZERO, Amount(2**40, 2**41, 1, 2**42)), "c": Balance()}
    assert await store.budgets.balances(TENANT, []) == {}


@pytest.mark.parametrize("swept", [False, True])
async def test_a_purge_takes_a_runs_own_account_and_leaves_runs_that_hold_something(store: Store, swept: bool) -> None:
    gone, holding = await many_running(store, 2)
    for held in (gone, holding):
        await reserve(store, held, charge(f"run:{held.run_id}"), charge("tenant"))
    await settle(store, gone, ONE)
    await store.claims.settle(gone, end(3))
    await store.claims.settle(holding, end(3))
    if swept:
        await store.budgets.sweep()
    done = await store.runs.purge(TENANT, before=T0 + 1e6, statuses=list(RunStatus), batch=10, blobs_before=0.0)
    assert done.runs == (2 if swept else 1)
    left = await store.budgets.accounts(TENANT)
    assert set(left) == ({"tenant"} if swept else {"tenant", f"run:{holding.run_id}"})
    assert (await balance(store)).used + (await balance(store)).held == ONE + ONE
