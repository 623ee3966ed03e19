"""Limits on PostgreSQL under the log-ins of a deployment: operators set them for any tenant, tenants' doors do not."""

from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import CallboardError
from callboard.settings import Settings
from tests.conformance.store.postgres_home import PostgresHome


async def test_an_operator_sets_looks_and_lifts_and_a_tenants_door_does_not(postgres_home: PostgresHome) -> None:
    postgres_home.empty()

    def opened(url: str, *, operator: bool) -> Any:
        return cb.open(None, settings=Settings(store=url, tenant="acme"), worker=False, operator=operator)

    async with opened(postgres_home.worker, operator=True) as rt:
        made = await rt.budgets.set("acme", "agent", "*", by="anna", period="day", usd="2.50")
        assert (made["tenant"], made["usd"], made["per"]) == ("acme", 2.5, "day")
        await rt.budgets.set("*", "tenant", "*", by="anna", calls=9)
        found = await rt.budgets.standings("acme", 10)
        assert {(each["budget"], each["by"]) for each in found} == {("agent * per day", "anna"), ("tenant *", "anna")}
        assert [each["budget"] for each in await rt.budgets.standings("other", 10)] == ["tenant *"]
    async with opened(postgres_home.door, operator=False) as rt:
        with pytest.raises(CallboardError):
            await rt.budgets.set("acme", "tenant", "acme", by="eve", calls=1_000_000)
    async with opened(postgres_home.worker, operator=True) as rt:
        await rt.budgets.remove("acme", "agent", "*", "day")
        await rt.budgets.remove("*", "tenant", "*", "ever")
        assert await rt.budgets.standings("acme", 10) == []
        assert (await rt.costs.sums(["acme"], 0.0, 1.0, "day")).whole.runs == 0
