"""Gather runs branches side by side, lets all of them settle, and replays whatever the order in which they ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import callboard as cb
from callboard.testing import runtime
from tests.unit.engine.play import Counter, Gate, die_and_return, failure, kinds, story, until


class Refused(Exception):
    """An exception of the author's own."""


def value(of: Any) -> Any:
    async def give() -> Any:
        return of

    return give


async def refuse() -> None:
    raise Refused("no")


async def test_values_come_back_in_the_order_in_which_the_branches_were_given() -> None:
    app, gates = cb.App("gather"), [Gate("a"), Gate("b"), Gate("c")]

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return await ctx.gather(*[ctx.step(gate.enter) for gate in gates])

    async with runtime(app) as test:
        handle = await test.start(flow)
        for gate in reversed(gates):  # all were begun, and they end in the other order
            await gate.reached.wait()
            gate.opened.set()
            await asyncio.sleep(0.01)
        assert await handle.result(timeout=30) == ["a", "b", "c"]


async def test_nothing_to_gather_gives_nothing() -> None:
    app = cb.App("gather")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return await ctx.gather()

    async with runtime(app) as test:
        assert await test.run(flow) == []


async def test_all_branches_settle_before_the_failure_of_the_lowest_is_raised() -> None:
    app, gate, after = cb.App("gather"), Gate(), Counter()

    async def slow(ctx: cb.Context) -> Any:
        await ctx.step(gate.enter)
        return await ctx.step(after.count)

    def fail(which: str) -> Any:
        async def failing() -> None:
            raise ValueError(which)

        return failing

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> Any:
        return await ctx.gather(slow(ctx), ctx.step(fail("second")), ctx.step(fail("third")))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await asyncio.sleep(0.02)
        assert not (await handle.status()).ended
        gate.opened.set()
        error = await failure(handle)
    assert after.calls == 1
    assert "second" in str(error)


@pytest.mark.parametrize("first_to_end", [0, 1])
async def test_branches_that_ended_in_any_order_replay_to_the_same_values(first_to_end: int) -> None:
    app, gates, hold = cb.App("gather"), [Gate("a"), Gate("b")], Gate()
    counter = Counter()

    async def branch(ctx: cb.Context, gate: Gate) -> list[Any]:
        return [await ctx.step(gate.enter), await ctx.step(counter.count)]

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        both = await ctx.gather(*[branch(ctx, gate) for gate in gates])
        await ctx.step(hold.enter)
        return both

    async with runtime(app) as test:
        handle = await test.start(flow)
        order = [gates[first_to_end], gates[1 - first_to_end]]
        for calls, gate in enumerate(order, 1):
            await gate.reached.wait()
            gate.opened.set()
            await until(lambda calls=calls: counter.calls == calls)  # type: ignore[misc]
        await hold.reached.wait()
        handle = await die_and_return(test, handle)
        hold.opened.set()
        both = await handle.result(timeout=30)
    assert both == ([["a", 1], ["b", 2]] if first_to_end == 0 else [["a", 2], ["b", 1]])
    assert counter.calls == 2


async def test_a_branch_that_had_ended_is_not_repeated_when_the_other_one_dies_with_its_worker() -> None:
    app, counter, gate = cb.App("gather"), Counter(), Gate("late")

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return await ctx.gather(ctx.step(gate.enter), ctx.step(counter.count))

    async with runtime(app) as test:
        handle = await test.start(flow)
        await gate.reached.wait()
        await until(lambda: kinds(test, handle, "0.1/0:count"))
        handle = await die_and_return(test, handle)
        gate.opened.set()
        assert await handle.result(timeout=30) == ["late", 1]
    assert (counter.calls, gate.entered) == (1, 2)


async def test_gathers_nest_and_every_branch_has_places_of_its_own() -> None:
    app = cb.App("gather")

    async def inner(ctx: cb.Context, name: str) -> list[Any]:
        return await ctx.gather(ctx.step(value(f"{name}0")), ctx.step(value(f"{name}1")))

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return await ctx.gather(inner(ctx, "a"), inner(ctx, "b"))

    async with runtime(app) as test:
        handle = await test.start(flow)
        assert await handle.result(timeout=30) == [["a0", "a1"], ["b0", "b1"]]
        places = {line for line in await story(test, handle) if line.startswith("done")}
    assert places == {f"done 0.{i}/0.{j}/0:give" for i in (0, 1) for j in (0, 1)}


async def test_branches_that_wait_park_together_and_wake_one_by_one() -> None:
    app = cb.App("gather")

    async def nap(ctx: cb.Context, seconds: float) -> float:
        await ctx.sleep(seconds)
        return await ctx.now()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> list[Any]:
        return await ctx.gather(nap(ctx, 100), nap(ctx, 10), ctx.wait("word"))

    async with runtime(app) as test:
        begun = test.clock.now()
        handle = await test.start(flow)
        await test.wind(50)
        assert await handle.status() is cb.RunStatus.WAITING
        await handle.signal("word", "yes")
        await test.wind(100)
        assert await handle.result(timeout=30) == [begun + 100, begun + 10, "yes"]


@pytest.mark.parametrize("how", ["gather", "race", "timeout"])
async def test_a_flow_can_catch_what_a_branch_raised_of_its_own(how: str) -> None:
    app, cleaned = cb.App("gather"), []

    async def branch(ctx: cb.Context) -> None:
        await ctx.step(value(1))
        await refuse()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        work: dict[str, Callable[[], Awaitable[Any]]] = {
            "gather": lambda: ctx.gather(branch(ctx)),
            "race": lambda: ctx.race(branch(ctx)),
            "timeout": lambda: ctx.timeout(60, branch(ctx)),
        }
        try:
            await work[how]()
        except Refused:
            await ctx.sleep(10)
            return "caught"
        finally:
            cleaned.append(how)
        return "?"

    async with runtime(app) as test:
        handle = await test.start(flow)
        await test.wind(11)
        assert await handle.result(timeout=30) == "caught"
    assert cleaned == [how, how]  # once when it parked, once at the end


async def test_what_is_no_effect_fails_its_branch_only() -> None:
    app, counter = cb.App("gather"), Counter()

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        try:
            await ctx.gather(ctx.step(counter.count), 7)  # type: ignore[arg-type]
        except TypeError as error:
            return str(error)
        return "?"

    async with runtime(app) as test:
        assert "await" in await test.run(flow)
    assert counter.calls == 1


async def test_two_hundred_branches_settle() -> None:
    app = cb.App("gather")

    async def square(n: int) -> int:
        await asyncio.sleep(0.001 * (n % 3))
        return n * n

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> int:
        return sum(await ctx.gather(*[ctx.step(square, n) for n in range(200)]))

    async with runtime(app) as test:
        assert await test.run(flow) == sum(n * n for n in range(200))
