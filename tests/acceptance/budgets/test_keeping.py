"""Budgets as authors and operators meet them: whom a call counts to, when it is refused, what there is by then."""

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.domain.budget import Amount, Balance, Bound
from callboard.domain.errors import ChildFailed
from callboard.domain.event import EventKind
from callboard.models.info import ModelInfo, Price
from callboard.store.budgets import Limit
from callboard.testing import ScriptedModel, WindingClock, call, runtime

DAY = 86_400.0


class Shop:
    """An app with an agent that answers at once, and one that looks something up before."""

    def __init__(self, *budgets: dict[str, Any], **model: Any) -> None:
        self.asked: Counter[str] = Counter()
        self.app = cb.App("shop")
        for each in budgets:
            self.app.budget(**each)

        def answer(request: Any) -> str:
            self.asked["clerk"] += 1
            return f"answer {self.asked['clerk']}"

        def search(request: Any) -> Any:
            self.asked["finder"] += 1
            return ["let me see", call("look")] if request.turn == 0 else "found"

        @self.app.tool(effect="read")
        async def look() -> str:
            return "there"

        self.model = ScriptedModel(answer, **model)
        clerk = self.clerk = self.app.agent("clerk", model=self.model, max_output_tokens=100)
        self.finder = self.app.agent("finder", model=ScriptedModel(search), tools=[look])

        @self.app.flow
        async def ask(ctx: cb.Context, count: int) -> list[str]:
            return [await clerk.run(ctx, f"question {n}") for n in range(count)]

        @self.app.flow
        async def family(ctx: cb.Context, counts: list[int]) -> list[str]:
            found = []
            for count in counts:
                try:
                    found.append(str(len(await ctx.spawn(ask, count))))
                except ChildFailed as failed:
                    found.append(failed.detail["error"]["detail"]["budget"])
            return found

        self.ask, self.family = ask, family


def refusal(error: BaseException) -> cb.LimitReached:
    assert isinstance(error, cb.RunFailed)
    assert isinstance(error.error, cb.LimitReached)
    assert error.error.reason == "budget"
    return error.error


async def refused(work: Any) -> cb.LimitReached:
    with pytest.raises(cb.RunFailed) as caught:
        await work
    return refusal(caught.value)


async def used(rt: cb.Runtime, account: str, tenant: str = "default") -> Balance:
    return (await rt.store.budgets.balances(tenant, [account]))[account]


@pytest.mark.parametrize("place", ["memory", "file"])
async def test_of_a_hundred_runs_at_once_as_many_call_as_the_tenant_may(place: str, tmp_path: Path) -> None:
    shop = Shop({"scope": "tenant", "calls": 37}, latency=0.005)
    url = "sqlite://" if place == "memory" else f"sqlite:///{tmp_path / 'store.db'}"
    async with cb.open(shop.app, url) as rt:
        runs = [rt.run("clerk", f"question {n}") for n in range(100)]
        outcomes = await asyncio.gather(*runs, return_exceptions=True)
        errors = [refusal(each) for each in outcomes if isinstance(each, BaseException)]
        assert shop.asked["clerk"] == 37
        assert len(errors) == 63
        for error in errors:
            assert error.detail["budget"] == "tenant *"
            assert (error.detail["measure"], error.detail["limit"], error.detail["asked"]) == ("calls", 37, 1)
            assert error.partial["turns"] == 0
        assert (await used(rt, "tenant")).used.calls == 37
        assert (await used(rt, "tenant")).held == Amount()


async def test_a_refused_agent_hands_over_what_it_had_and_a_replay_the_same() -> None:
    shop = Shop({"scope": "run", "calls": 1})
    ends: list[Any] = []

    @shop.app.flow
    async def flow(ctx: cb.Context, _: Any) -> None:
        try:
            await shop.finder.run(ctx, "where")
        except cb.LimitReached as limit:
            ends.append((limit.reason, limit.partial["text"], limit.partial["turns"], limit.detail["agent"]))
        await ctx.sleep(100_000)

    async with runtime(shop.app) as test:
        await test.start(flow)
        await test.settle()
        await test.kill()
        await test.restart()
        await test.settle()
        await test.wind(100_000)
    assert ends[0] == ("budget", "let me see", 1, "finder")
    assert len(ends) > 1
    assert set(ends) == {ends[0]}
    assert shop.asked["finder"] == 1


async def test_a_run_is_charged_for_all_runs_below_it() -> None:
    shop = Shop({"scope": "run", "name": "family", "calls": 5}, {"scope": "run", "name": "ask", "calls": 3})
    async with runtime(shop.app) as test:
        assert await test.run(shop.family, [2, 4, 2]) == ["2", "run ask", "run family"]
        assert shop.asked["clerk"] == 5
        assert await test.run(shop.family, [1]) == ["1"]


async def test_a_session_counts_its_runs_and_those_below_them() -> None:
    shop = Shop({"scope": "session", "calls": 3})
    async with runtime(shop.app) as test:
        one, other = {"session": "one"}, {"session": "other"}
        assert await test.run(shop.family, [1, 1], labels=one) == ["1", "1"]
        assert await test.run(shop.ask, 1, labels=one) == ["answer 3"]
        assert (await refused(test.run(shop.ask, 1, labels=one))).detail["budget"] == "session *"
        assert len(await test.run(shop.ask, 3, labels=other)) == 3
        assert len(await test.run(shop.ask, 4)) == 4
        assert (await used(test.rt, "session:one")).used.calls == 3


async def test_each_tenant_agent_and_flow_has_a_count_of_its_own() -> None:
    shop = Shop({"scope": "tenant", "calls": 4}, {"scope": "agent", "name": "finder", "calls": 2})
    async with runtime(shop.app) as test:
        assert await test.run("finder", "x", tenant="a") == "found"
        assert (await refused(test.run("finder", "x", tenant="a"))).detail["budget"] == "agent finder"
        assert await test.run("finder", "x", tenant="b") == "found"
        assert len(await test.run(shop.ask, 2, tenant="a")) == 2
        assert (await refused(test.run(shop.ask, 1, tenant="a"))).detail["budget"] == "tenant *"


async def test_a_day_begins_anew_at_midnight_in_utc() -> None:
    shop = Shop({"scope": "tenant", "calls": 2, "period": "day"}, {"scope": "tenant", "calls": 3, "period": "month"})
    begin = datetime(2026, 11, 30, 23, 0, tzinfo=UTC).timestamp() - DAY
    async with runtime(shop.app, clock=WindingClock(begin)) as test:
        await test.run(shop.ask, 2)
        late = await refused(test.run(shop.ask, 1))
        assert late.detail["account"] == "tenant@2026-11-29"
        assert "begins anew, on 2026-11-30 00:00 UTC" in str(late)
        await test.wind(hours=1)
        await test.run(shop.ask, 1)
        assert (await refused(test.run(shop.ask, 1))).detail["account"] == "tenant@2026-11"
        await test.wind(days=1)
        await test.run(shop.ask, 2)
        assert (await used(test.rt, "tenant@2026-12")).used.calls == 2
        assert (await used(test.rt, "tenant@2026-11")).used.calls == 3


async def test_a_requeue_asks_again_when_there_is_room() -> None:
    shop = Shop({"scope": "tenant", "calls": 2, "period": "day"})
    async with runtime(shop.app) as test:
        handle = await test.start(shop.ask, 3)
        await refused(handle.result())
        await test.wind(days=1)
        await test.rt.commands.requeue("default", handle.id)
        assert await handle.result() == ["answer 1", "answer 2", "answer 3"]


async def test_a_call_waits_while_others_hold_what_they_will_not_need() -> None:
    inside, most = 0, 0

    async def slowly(seconds: float) -> None:
        nonlocal inside, most
        inside, most = inside + 1, max(most, inside + 1)
        await asyncio.sleep(0.01)
        inside -= 1

    shop = Shop({"scope": "tenant", "tokens": 4_000}, latency=1.0, sleep=slowly)
    async with cb.open(shop.app, "sqlite://") as rt:
        answers = await asyncio.gather(*(rt.run("clerk", f"question {n}") for n in range(60)))
        assert len(answers) == 60
        reserved = await reservations(rt)
        assert len(reserved) == 60
        assert sum(reserved) > 4_000
        assert 1 < most < 60
        found = await used(rt, "tenant")
        assert found.held == Amount()
        assert found.used.tokens <= 4_000


async def reservations(rt: cb.Runtime) -> list[int]:
    """Tokens that each call reserved."""
    found = []
    for run in await rt.store.runs.find("default", limit=100):
        for event in await rt.store.journal.read("default", run.id):
            if event.kind is EventKind.INTENT and "reserved" in event.value():
                found.append(sum(event.value()["reserved"][:2]))
    return found


async def test_a_model_whose_price_nobody_knows_is_not_asked_where_money_is_limited() -> None:
    shop = Shop({"scope": "flow", "name": "clerk", "usd": "5"})
    shop.model.info = ModelInfo(name="qwen3", provider="openai-compatible", upstream="local")
    async with runtime(shop.app) as test:
        with pytest.raises(cb.RunFailed, match=r'\[prices."openai-compatible:qwen3"\]'):
            await test.run("clerk", "x")
        assert shop.asked["clerk"] == 0
        assert len(await test.run(shop.ask, 1)) == 1  # no money is limited here
    shop.model.info = ModelInfo(name="qwen3", provider="openai-compatible", upstream="local", price=Price(0, 0))
    async with runtime(shop.app) as test:
        assert await test.run("clerk", "x") == "answer 2"


async def test_what_an_operator_sets_holds_for_what_is_under_way_and_is_lifted_again() -> None:
    shop = Shop()

    def limit(calls: int) -> Limit:
        return Limit(tenant="default", scope="flow", name="slow", period="ever", bound=Bound(calls=calls))

    @shop.app.flow
    async def slow(ctx: cb.Context, _: Any) -> str:
        for hour in range(4):
            await shop.clerk.run(ctx, f"hour {hour}")
            await ctx.sleep(3_600)
        return "done"

    async with runtime(shop.app) as test:
        first = await test.start(slow)
        await test.settle()
        await test.rt.store.budgets.put(limit(1))
        await looked(test, lambda found: len(found) == 1)
        await test.wind(hours=1)
        second = await test.start(slow)
        assert (await refused(second.result())).detail["budget"] == "flow slow"
        await test.rt.store.budgets.remove("default", "flow", "slow", "ever")
        await looked(test, lambda found: not found)
        await test.wind(hours=4)
        assert await first.result() == "done"


async def test_a_limit_is_known_before_the_first_run_is_claimed() -> None:
    shop = Shop()
    async with runtime(shop.app) as test:
        await test.kill()
        limit = Limit(tenant="default", scope="tenant", name="default", period="ever", bound=Bound(calls=0))
        await test.rt.store.budgets.put(limit)
        handle = await test.start(shop.ask, 1)
        await test.restart()
        await refused(test.rt.handle(handle.id).result())
    assert shop.asked["clerk"] == 0


async def looked(test: Any, what: Any) -> None:
    """Waits until the worker's sweep has seen the limits."""
    async with asyncio.timeout(60):
        while not what(test.rt.services.fleet.limits):
            await asyncio.sleep(0.01)


async def test_whoever_watches_is_warned_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "callboard.budgets")
    shop = Shop({"scope": "tenant", "calls": 10, "warn": (0.5, 0.9)})
    async with runtime(shop.app) as test:
        metrics = test.rt.services.metrics

        async def warned(times: int) -> None:
            async with asyncio.timeout(60):
                while metrics.budget_warnings["tenant"] < times:
                    await asyncio.sleep(0.01)
            for _ in range(2):
                await test.rt.services.swept()
            assert metrics.budget_warnings == {"tenant": times}

        await test.run(shop.ask, 4)
        await test.rt.services.swept()
        assert not metrics.budget_warnings
        await test.run(shop.ask, 2)
        await warned(1)
        await test.run(shop.ask, 3)
        await warned(2)
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "budget tenant *: account tenant of tenant default has used 6 of 10 calls (60 %)",
        "budget tenant *: account tenant of tenant default has used 9 of 10 calls (90 %)",
    ]


async def test_a_call_over_midnight_belongs_to_the_day_on_which_it_began() -> None:
    asking, answered = asyncio.Event(), asyncio.Event()

    async def slowly(seconds: float) -> None:
        asking.set()
        await answered.wait()

    shop = Shop({"scope": "tenant", "calls": 1, "period": "day"}, latency=1.0, sleep=slowly)
    begin = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp()
    async with runtime(shop.app, clock=WindingClock(begin)) as test:
        handle = await test.start(shop.ask, 2)
        await asking.wait()
        test.clock.set(begin + 1)
        answered.set()
        assert await handle.result() == ["answer 1", "answer 2"]
        for day in ("2026-11-30", "2026-12-01"):
            found = await used(test.rt, f"tenant@{day}")
            assert (found.used.calls, found.held) == (1, Amount())
