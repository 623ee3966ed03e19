"""A worker's sweep sees what operators allow, and tidies up what nobody else will."""

import asyncio
from typing import Any

import callboard as cb
from callboard.domain.budget import ZERO, Balance
from callboard.store.answers import KEPT
from callboard.testing import runtime
from tests.conformance.store.access import login
from tests.conformance.store.charging import ONE, balance, charge, limit, reserve
from tests.conformance.store.play import ANNA, T0, end, running

app = cb.App("tidying")


@app.flow
async def idle(ctx: cb.Context, _: Any) -> None:
    return None


async def test_a_worker_knows_the_limits_of_all_tenants() -> None:
    async with runtime(app) as test:
        kept = (limit(), limit(tenant="other"))
        for each in kept:
            await test.rt.store.budgets.put(each)
        while len(test.rt.services.fleet.limits) < len(kept):
            await asyncio.sleep(0.01)
        assert test.rt.services.fleet.limits == kept


async def test_what_a_run_held_when_it_ended_is_charged_soon() -> None:
    async with runtime(app) as test:
        store = test.rt.store
        await store.claims.register(ANNA, T0)
        held = await running(store)
        await reserve(store, held, charge())
        await store.claims.settle(held, end(2))
        while await balance(store) != Balance(ONE, ZERO):
            await test.wind(6)
            await asyncio.sleep(0.01)


async def test_answers_that_are_too_old_for_anybody_and_log_ins_that_expired_go() -> None:
    async with runtime(app) as test:
        now = test.rt.services.clock.now()
        await test.rt.store.answers.put("acme", b"old", b"1", now - KEPT)
        await test.rt.store.answers.put("acme", b"young", b"2", now - KEPT + 86_400)
        await test.rt.store.people.enter(login(mac=b"old", expires_at=now - 1))
        await test.rt.store.people.enter(login(mac=b"young", expires_at=now + 1e9))
        while (
            await test.rt.store.answers.get("acme", b"old", 0.0) is not None
            or await test.rt.store.people.entered(b"old") is not None
        ):
            await test.wind(6)
            await asyncio.sleep(0.01)
        assert await test.rt.store.people.entered(b"young") is not None
        assert await test.rt.store.answers.get("acme", b"young", 0.0) is not None
