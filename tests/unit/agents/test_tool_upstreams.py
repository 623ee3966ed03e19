"""Tools stand on upstreams: a limit makes a call wait, an open breaker refuses it, retries keep to their share."""

import asyncio
import json
from typing import Any

import pytest

import callboard as cb
from callboard.domain.event import EventKind
from callboard.domain.kinds import ErrorKind
from callboard.engine.context import Context
from callboard.resilience.breaker import BreakerRules, Phase
from callboard.resilience.limiter import Rate
from callboard.testing import TestRuntime, runtime
from tests.unit.agents.shopping import CALL, Shop, details, gate_of, made_of, open_breaker
from tests.unit.engine.play import Gate, failure, kinds


@pytest.mark.parametrize("effect", ["read", "idempotent", "once"])
async def test_a_call_that_a_limit_refuses_parks_its_run_and_is_made_later(effect: str) -> None:
    shop = Shop()
    app = made_of(shop, effect, upstream={"requests": Rate(2, 60), "patience": 0})
    async with runtime(app) as test:
        handle = await test.start("flow", 3)
        await test.settle()
        assert (await handle.status(), shop.calls) == (cb.RunStatus.WAITING, 2)
        assert await details(test, handle) == [
            {"made": False, "upstream": "shop", "by": "limit", "retry_after": pytest.approx(30)}
        ]
        await test.wind(40)
        assert await handle.result(timeout=30) == ["answer 1", "answer 2", "answer 3"]


async def occupied(test: TestRuntime, seconds: float) -> None:
    """Somebody else has the upstream's one place for so long."""
    for _ in range(int(seconds / 30)):
        await gate_of(test)._counters.enter("upstream:shop:places", "somebody", 1, 60.0)
        await test.wind(30)


async def test_waiting_for_a_limit_is_no_attempt_and_ends_after_ten_minutes() -> None:
    shop = Shop()
    app = made_of(shop, "read", upstream={"concurrency": 1, "patience": 0}, retry=cb.Retry(attempts=3, first=0.1))
    async with runtime(app) as test:
        await gate_of(test)._counters.enter("upstream:shop:places", "somebody", 1, 60.0)
        handle = await test.start("flow", 1)
        await occupied(test, 480)
        assert (await handle.status(), shop.calls) == (cb.RunStatus.WAITING, 0)
        assert 15 < len(await details(test, handle)) < 40
        await occupied(test, 400)
        failed = await failure(handle)
        assert (failed.kind, failed.detail["made"]) == (ErrorKind.RATE_LIMITED, False)
    assert shop.calls == 0


async def test_attempts_that_were_made_count_beside_waits_for_a_limit() -> None:
    shop = Shop(failures=2)
    app = made_of(shop, "read", upstream={"concurrency": 1, "patience": 0}, retry=cb.Retry(attempts=3, first=0.1))
    async with runtime(app) as test:
        async with gate_of(test).enter():
            handle = await test.start("flow", 1)
            await test.wind(60)
        await test.wind(60)
        assert await handle.result(timeout=30) == ["answer 3"]


async def test_an_open_breaker_counts_as_an_attempt_and_one_call_finds_out() -> None:
    shop = Shop()
    async with runtime(made_of(shop, "read", retry=cb.Retry(attempts=2, first=0.1))) as test:
        await open_breaker(test)
        handle = await test.start("flow", 1)
        await test.settle()
        assert shop.calls == 0
        [refused] = await details(test, handle)
        assert (refused["by"], refused["made"]) == ("breaker", False)
        await test.wind(40)
        assert await handle.result(timeout=30) == ["answer 1"]
        assert (await gate_of(test).look()).phase is Phase.CLOSED


async def test_a_call_that_only_meets_open_breakers_fails_in_the_end() -> None:
    shop = Shop()
    app = made_of(shop, "read", upstream={"breaker": BreakerRules(open_for=3600)}, retry=cb.Retry(attempts=2))
    async with runtime(app) as test:
        await open_breaker(test)
        handle = await test.start("flow", 1)
        await test.settle()
        await gate_of(test).reset()
        await open_breaker(test)
        await test.wind(hours=2)
        assert await handle.result(timeout=30) == ["answer 1"]  # the second attempt was the probe
        await open_breaker(test)
        again = await test.start("flow", 1)
        await test.settle()
        await test.wind(3500)
        await gate_of(test).reset()
        await open_breaker(test)
        await test.wind(1500)
        failed = await failure(again)
        assert (failed.kind, failed.detail["by"]) == (ErrorKind.UPSTREAM_DOWN, "breaker")
    assert shop.calls == 1


async def test_a_fallback_stands_in_for_an_open_breaker_at_once() -> None:
    shop = Shop()

    async def remembered() -> str:
        return "as far as we know"

    async with runtime(made_of(shop, "read", fallback=remembered)) as test:
        await open_breaker(test)
        handle = await test.start("flow", 1)
        await test.settle()
        assert await handle.result(timeout=30) == ["as far as we know"]
        assert await kinds(test, handle, CALL) == [EventKind.FAILED]
    assert shop.calls == 0


@pytest.mark.parametrize("tools", [["one", "one"], ["one", "two"]])
async def test_tools_of_one_upstream_share_its_breaker_and_others_do_not(tools: list[str]) -> None:
    app, shop = cb.App("tools"), Shop(failures=99)
    made = [
        app.tool(effect="read", upstream=name, name=f"tool{n}", retry=cb.Retry(attempts=1))(shop.answer)
        for n, name in enumerate(tools)
    ]

    @app.flow
    async def flow(ctx: Context, _: Any) -> None:
        for tool in made:
            for _ in range(5):
                with pytest.raises(cb.ToolFailed):
                    await tool.call(ctx)

    async with runtime(app) as test:
        await test.run(flow)
    assert shop.calls == 5 * len(set(tools))


async def test_a_tool_without_an_upstream_has_one_of_its_own() -> None:
    app, shop = cb.App("tools"), Shop()
    tool = app.tool(effect="read", name="alone")(shop.answer)

    @app.flow
    async def flow(ctx: Context, _: Any) -> Any:
        return await tool.call(ctx)

    async with runtime(app) as test:
        await open_breaker(test, "tool:alone")
        handle = await test.start(flow)
        await test.settle()
        assert await handle.status() is cb.RunStatus.WAITING
    assert shop.calls == 0


async def test_a_page_where_json_was_due_is_a_malformed_result() -> None:
    shop = Shop(9, lambda: json.JSONDecodeError("Expecting value", "<html>", 0))
    async with runtime(made_of(shop, "read")) as test:
        assert (await failure(await test.start("flow", 1))).kind is ErrorKind.MALFORMED_RESULT
        assert (await gate_of(test).look()).failures == 1
    assert shop.calls == 1


async def test_the_declared_upstream_says_how_often_unless_the_tool_does() -> None:
    for contract, expected in (({}, 2), ({"retry": cb.Retry(attempts=4, first=0.1)}, 4)):
        shop = Shop(failures=99)
        app = made_of(shop, "idempotent", upstream={"retry": cb.Retry(attempts=2, first=0.1)}, **contract)
        async with runtime(app) as test:
            handle = await test.start("flow", 1)
            await test.wind(60)
            assert (await failure(handle)).kind is ErrorKind.UPSTREAM_DOWN
        assert shop.calls == expected


async def test_an_upstream_that_is_busy_is_waited_for_as_it_asks_and_no_breaker_opens() -> None:
    shop = Shop(2, lambda: cb.UpstreamBusy("429", retry_after=77))
    async with runtime(made_of(shop, "read")) as test:
        begun = test.clock.now()
        handle = await test.start("flow", 1)
        await test.settle()
        assert (await handle.run()).wake_at == begun + 77
        await test.wind(200)
        assert await handle.result(timeout=30) == ["answer 3"]
        assert (await gate_of(test).look()).recent == 0


async def test_a_retry_that_would_be_one_too_many_waits_for_its_share() -> None:
    shop = Shop(failures=1)
    async with runtime(made_of(shop, "read", retry=cb.Retry(attempts=2, first=0.1))) as test:
        while gate_of(test).may_retry():
            pass
        handle = await test.start("flow", 1)
        await test.wind(20)
        assert (await handle.status(), shop.calls) == (cb.RunStatus.WAITING, 1)
        assert {each.get("by") for each in await details(test, handle)} == {None, "retries"}
        await test.wind(120)
        assert await handle.result(timeout=30) == ["answer 2"]


async def test_without_a_share_there_are_no_retries_and_nobody_waits_for_one() -> None:
    shop = Shop(failures=1)
    async with runtime(made_of(shop, "read", upstream={"retry_share": 0})) as test:
        assert (await failure(await test.start("flow", 1))).kind is ErrorKind.UPSTREAM_DOWN
    assert shop.calls == 1


async def test_a_fallback_stands_in_for_a_retry_that_is_one_too_many() -> None:
    async def remembered() -> str:
        return "as far as we know"

    shop = Shop(failures=1)
    app = made_of(shop, "read", retry=cb.Retry(attempts=2, first=0.1), fallback=remembered)
    async with runtime(app) as test:
        while gate_of(test).may_retry():
            pass
        handle = await test.start("flow", 1)
        await test.wind(1)
        assert await handle.result(timeout=30) == ["as far as we know"]


@pytest.mark.parametrize(("effect", "calls"), [("read", 2), ("idempotent", 1), ("once", 1)])
async def test_only_a_read_has_a_second_call_beside_a_slow_first_one(effect: str, calls: int) -> None:
    slow = Gate("slow")

    class Slow:
        calls = 0

        async def answer(self) -> str:
            self.calls += 1
            return str(await slow.enter()) if self.calls == 1 else "quick"

    shop = Slow()
    async with runtime(made_of(shop, effect, upstream={"hedge": 0.02})) as test:
        handle = await test.start("flow", 1)
        await slow.reached.wait()
        if calls == 1:
            await asyncio.sleep(0.08)
            slow.opened.set()
        assert await handle.result(timeout=30) == ["quick" if calls == 2 else "slow"]
        look = await gate_of(test).look()
        assert (look.hedges, look.calls, look.inside) == (calls - 1, calls, 0)
    assert shop.calls == calls


async def test_silence_at_the_gate_is_not_taken_for_the_tool_s() -> None:
    app = cb.App("tools")
    app.upstream("shop", concurrency=1, patience=5.0)

    @app.tool(effect="read", upstream="shop", heartbeat=0.3)
    async def crawl(heartbeat: cb.Heartbeat) -> str:
        """Reads on."""
        return "read"

    @app.flow
    async def flow(ctx: Context, _: Any) -> Any:
        return await crawl.call(ctx)

    async with runtime(app) as test:
        async with gate_of(test).enter():
            handle = await test.start(flow)
            await test.settle()
            assert [each["by"] for each in await details(test, handle)] == ["limit"]
        await test.wind(40)
        assert await handle.result(timeout=30) == "read"


async def test_a_worker_that_dies_while_a_call_waits_loses_neither_the_call_nor_its_count() -> None:
    shop = Shop(failures=1)
    app = made_of(shop, "idempotent", upstream={"requests": Rate(1, 60), "patience": 0}, retry=cb.Retry(attempts=2))
    async with runtime(app) as test:
        handle = await test.start("flow", 1)
        await test.wind(10)
        assert (await handle.status(), shop.calls) == (cb.RunStatus.WAITING, 1)
        await test.kill()
        await test.restart()
        await test.wind(100)
        assert await test.rt.handle(handle.id).result(timeout=30) == ["answer 2"]
