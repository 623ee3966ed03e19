"""survives_kills passes flows that are worth their durability and finds those that are not."""

import random
from typing import Any

import pytest

import callboard as cb
from callboard.testing import call, survives_kills


async def one() -> int:
    return 1


async def test_a_good_flow_passes_and_the_kill_points_are_counted() -> None:
    app, outcomes = cb.App("kills"), list[Any]()

    @app.flow
    async def good(ctx: cb.Context, n: int) -> list[Any]:
        first = await ctx.step(one)
        both = await ctx.gather(ctx.step(one), ctx.step(one))
        return [n, first, *both, await ctx.timeout(60, ctx.step(one))]

    points = await survives_kills(app, good, 7, check=outcomes.append)
    assert points >= 6
    assert outcomes == [[7, 1, 1, 1, 1]] * (points - 1)


async def test_a_side_effect_in_plain_code_is_found_by_the_outcome() -> None:
    app, mail = cb.App("kills"), list[str]()

    @app.flow
    async def careless(ctx: cb.Context, _: Any) -> int:
        sent = len(mail)
        mail.append("sent in plain code")
        await ctx.step(one)
        return sent

    with pytest.raises(AssertionError, match="killed after commit"):
        await survives_kills(app, careless)


@pytest.mark.parametrize("form", ["plain code", "tool"])
async def test_a_side_effect_in_plain_code_is_found_by_a_check_of_the_outside(form: str) -> None:
    app, mail = cb.App("kills"), set[str]()
    repeated: list[str] = []

    def send(letter: str) -> None:
        if letter in mail:
            repeated.append(letter)
        mail.add(letter)

    @app.tool(effect="idempotent")
    async def post(*, key: cb.IdempotencyKey) -> str:
        mail.add(key)  # the other side counts by key
        return "posted"

    @app.flow
    async def flow(ctx: cb.Context, _: Any) -> str:
        if form == "plain code":
            send(ctx.run_id)
        await ctx.step(one)
        return str(await post.call(ctx))

    def check(outcome: Any) -> None:
        assert not repeated, "sent twice"

    if form == "plain code":
        with pytest.raises(AssertionError, match="sent twice"):
            await survives_kills(app, flow, check=check)
    else:
        assert await survives_kills(app, flow, check=check) >= 4


async def test_random_numbers_from_plain_code_are_found() -> None:
    app = cb.App("kills")

    @app.flow
    async def careless(ctx: cb.Context, _: Any) -> float:
        number = random.random()
        await ctx.step(one)
        return number

    with pytest.raises(AssertionError, match="instead of"):
        await survives_kills(app, careless)


async def test_a_flow_that_fails_must_fail_alike_after_each_kill() -> None:
    app = cb.App("kills")

    async def broken() -> None:
        raise ValueError("always")

    @app.flow
    async def failing(ctx: cb.Context, _: Any) -> None:
        await ctx.step(one)
        await ctx.step(broken)

    assert await survives_kills(app, failing) >= 3


async def test_an_agent_with_tools_of_every_class_survives() -> None:
    app, ledger = cb.App("kills"), dict[str, int]()

    @app.tool(effect="read")
    async def look() -> str:
        return "seen"

    @app.tool(effect="idempotent")
    async def keep(*, key: cb.IdempotencyKey) -> str:
        ledger[key] = ledger.get(key, 0) + 1
        return "kept"

    script: list[Any] = [[call("look"), call("look"), call("keep")], [call("keep")], "done"]
    agent = app.agent("agent", model=cb.ScriptedModel(script), tools=[look, keep])
    assert await survives_kills(app, agent, "go") >= 8


async def test_the_number_of_kill_points_can_be_bounded() -> None:
    app = cb.App("kills")

    @app.flow
    async def long(ctx: cb.Context, _: Any) -> int:
        return sum([await ctx.step(one) for _ in range(30)])

    assert await survives_kills(app, long, most=4) == 4
