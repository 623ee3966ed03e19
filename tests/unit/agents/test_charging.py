"""Whom a call counts to, what is said when there is no room, and who is warned."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from callboard.agents.charging import Charging, no_room
from callboard.domain.budget import Amount, Balance, Bound, Charge, Measure, Refusal
from callboard.domain.errors import LimitReached, ModelFailed, failure_from
from callboard.domain.run import Run, RunStatus
from callboard.models.info import ModelInfo, Price
from callboard.policy import budget
from callboard.store.budgets import Limit
from callboard.telemetry.metrics import Metrics

NOW = 1_795_000_000.0  # 2026-11-18
LATER = NOW + 86_400


def a_run(run_id: str = "r1", flow: str = "support", **fields: Any) -> Run:
    return Run(
        id=run_id, tenant=fields.pop("tenant", "acme"), flow=flow, version="1", status=RunStatus.RUNNING, **fields
    )


def accounts(charging: Charging, run: Run, agent: str = "clerk", now: float = NOW) -> dict[str, int | None]:
    return {charge.account: charge.bound.calls for charge in charging.of_call(run, agent, now)}


def limit(scope: str, name: str = "*", period: str = "ever", *, tenant: str = "acme", **bound: int) -> Limit:
    return Limit(tenant=tenant, scope=scope, name=name, period=period, bound=Bound(**bound), warn=(0.8,))


def test_a_call_counts_to_its_tenant_flow_agent_session_and_run() -> None:
    charging = Charging(
        [budget(scope, calls=at) for at, scope in enumerate(("tenant", "flow", "agent", "session", "run"), 1)]
    )
    assert accounts(charging, a_run(labels={"session": "s"})) == {
        "tenant": 1,
        "flow:support": 2,
        "agent:clerk": 3,
        "session:s": 4,
        "run:r1": 5,
    }
    assert "session:s" not in accounts(charging, a_run(labels={"team": "s"}))


def test_without_budgets_nothing_is_charged_or_stored() -> None:
    charging = Charging([])
    assert charging.of_call(a_run(), "clerk", NOW) == ()
    assert charging.of_run(a_run(labels={"session": "s"})) == ()
    assert Charging([budget("tenant", calls=1)]).of_run(a_run()) == ()


def test_a_child_counts_to_all_runs_above_it_and_their_sessions() -> None:
    charging = Charging([budget("run", "support", calls=5), budget("run", "look", calls=2), budget("session", calls=9)])
    top = a_run("top", labels={"session": "s"})
    middle = a_run("middle", "look", charges=charging.of_run(top))
    low = a_run("low", "other", labels={"session": "t"}, charges=charging.of_run(middle))
    assert accounts(charging, low) == {"session:t": 9, "run:top": 5, "run:middle": 2, "session:s": 9}


def test_what_a_child_inherits_follows_the_limits_and_days_of_now() -> None:
    limits: list[list[Limit]] = [[]]
    charging = Charging([budget("session", calls=9, period="day")], lambda: limits[0])
    low = a_run("low", charges=charging.of_run(a_run("top", labels={"session": "s@2026-11-18"})))
    assert accounts(charging, low) == {"session:s%402026-11-18@2026-11-18": 9}
    assert accounts(charging, low, now=LATER) == {"session:s%402026-11-18@2026-11-19": 9}
    limits[0] = [limit("session", "s@2026-11-18", "day", calls=1)]
    assert accounts(charging, low) == {"session:s%402026-11-18@2026-11-18": 1}


def test_what_an_operator_sets_stands_in_place_of_what_is_declared_and_for_one_tenant() -> None:
    limits: list[list[Limit]] = [[]]
    charging = Charging([budget("tenant", calls=10), budget("agent", "clerk", calls=7)], lambda: limits[0])
    other = a_run(tenant="other")
    assert accounts(charging, a_run()) == {"tenant": 10, "agent:clerk": 7}
    limits[0] = [limit("tenant", "acme", calls=1), limit("agent", "clerk", tenant="*", calls=2)]
    assert accounts(charging, a_run()) == {"tenant": 1, "agent:clerk": 2}
    assert accounts(charging, other) == {"tenant": 10, "agent:clerk": 2}
    limits[0] = []
    assert accounts(charging, a_run()) == accounts(charging, other) == {"tenant": 10, "agent:clerk": 7}


def test_a_limit_of_a_later_version_is_told_and_the_others_hold(caplog: pytest.LogCaptureFixture) -> None:
    charging = Charging([], lambda: [limit("galaxy", calls=1), limit("tenant", calls=2)])
    assert accounts(charging, a_run()) == {"tenant": 2}
    assert "galaxy" in caplog.text


def refused(measure: Measure = Measure.USD, *, final: bool = True, account: str = "tenant@2026-11-21") -> Refusal:
    charge = Charge(account, Bound(), "tenant * per day" if "@" in account else "run support")
    return Refusal(charge, measure, 10_000_000, 9_900_000, 50_000, 120_000, final)


def test_a_refusal_says_what_was_asked_in_peoples_units_and_what_to_do() -> None:
    error = no_room(refused(), "clerk", {"text": "so far"})
    assert error.reason == "budget"
    assert error.partial == {"text": "so far"}
    assert error.detail | {"partial": None} == {
        "reason": "budget",
        "budget": "tenant * per day",
        "account": "tenant@2026-11-21",
        "measure": "usd",
        "limit": "10.00",
        "used": "9.90",
        "held": "0.05",
        "asked": "0.12",
        "agent": "clerk",
        "partial": None,
    }
    for part in ("9.90 of 10.00 dollars", "budgets set tenant '*' --per day --usd N", "2026-11-22 00:00 UTC"):
        assert part in str(error)
    seconds = no_room(refused(Measure.SECONDS, account="run:r1"))
    assert (seconds.detail["limit"], seconds.detail["asked"]) == (10_000.0, 120.0)
    assert "budgets set run support --seconds N" in str(seconds)
    assert isinstance(failure_from(error.record()), LimitReached)


def test_a_refusal_that_may_pass_carries_no_result() -> None:
    assert "partial" not in no_room(refused(final=False), "clerk", {"text": "so far"}).detail


def test_a_model_without_a_price_is_not_called_where_money_is_limited() -> None:
    charging = Charging([])
    money, calls = Charge("tenant", Bound(cost=1), "tenant *"), Charge("tenant", Bound(calls=1), "tenant *")
    there = ModelInfo(name="qwen3", provider="openai-compatible")
    with pytest.raises(ModelFailed, match=r'tenant \*.*\[prices."openai-compatible:qwen3"\]') as caught:
        charging.check([calls, money], there, None)
    assert caught.value.detail["made"] is False
    charging.check([calls, money], there, Price(0, 0))
    charging.check([calls], there, None)
    charging.check([money], ModelInfo(name="scripted"), None)


class Accounts:
    """What accounts hold, and who asked."""

    def __init__(self) -> None:
        self.balance: Callable[[str], Balance] = lambda account: Balance()
        self.asked: list[tuple[str, list[str]]] = []

    async def balances(self, tenant: str, names: Any) -> dict[str, Balance]:
        self.asked.append((tenant, list(names)))
        return {name: self.balance(name) for name in names}


async def test_a_share_of_an_account_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    charging = Charging([budget("tenant", usd="1.00", warn=(0.5, 0.9)), budget("agent", calls=100, warn=())])
    found, metrics = Accounts(), Metrics()
    store: Any = found
    caplog.set_level(logging.WARNING, "callboard.budgets")

    async def look(used: int, held: int = 0) -> int:
        before = len(caplog.records)
        found.balance = lambda account: Balance(Amount(used), Amount(held))
        await charging.look(store, metrics)
        return len(caplog.records) - before

    charging.of_call(a_run(), "clerk", NOW)
    assert await look(490_000, held=500_000) == 0
    assert await look(510_000, held=1) == 1  # it is looked at until nothing of it is under way
    assert await look(900_000) == 1
    assert found.asked == [("acme", ["tenant"])] * 3
    assert await look(990_000) == 0
    assert len(found.asked) == 3
    charging.of_call(a_run(), "clerk", NOW)
    assert await look(990_000) == 0
    charging.of_call(a_run(tenant="other"), "clerk", NOW)
    assert await look(990_000) == 1
    assert metrics.budget_warnings == {"tenant": 3}
    assert "0.51 of 1.00 dollars (51 %)" in caplog.text
