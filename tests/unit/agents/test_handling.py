"""What is done about a failed call is declared, decided in the journal, and the same again on replay."""

from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import FlowMisuse, InputInvalid
from callboard.domain.kinds import ErrorKind
from callboard.testing import TestRuntime, call, runtime
from tests.unit.engine.play import decide, die_and_return, failure, open_question, story

NEVER = cb.Retry(attempts=1)


class Shop:
    """A tool that fails so often, and the keys that it was called with."""

    def __init__(self, fails: int = 1_000, error: Exception | None = None) -> None:
        self.keys: list[str] = []
        self.undone: list[tuple[str, Any]] = []
        self._fails = fails
        self._error = error or cb.UpstreamDown("closed")

    async def book(self, room: str, key: cb.IdempotencyKey) -> str:
        self.keys.append(str(key))
        if len(self.keys) <= self._fails:
            raise self._error
        return f"booked {room}"

    async def unbook(self, room: str, result: str | None, original_key: str) -> None:
        assert original_key in self.keys
        self.undone.append((room, result))


def app_of(shop: Shop, on_failure: Any, **contract: Any) -> tuple[cb.App, Any]:
    """An app whose flow books once."""
    app = cb.App("handling")
    options = {"effect": "idempotent", "retry": NEVER, **contract}

    @app.tool(on_failure=on_failure, **options)
    async def book(room: str, key: cb.IdempotencyKey) -> str:
        return await shop.book(room, key)

    @app.flow
    async def stay(ctx: cb.Context, input: Any) -> Any:
        return await book.call(ctx, room="12a")

    return app, book


async def start(test: TestRuntime, app: cb.App) -> cb.RunHandle:
    """Starts the flow and winds past its waits."""
    handle: cb.RunHandle = await test.start(next(iter(app.flows())))
    await test.wind(seconds=300)
    return handle


async def test_a_failed_call_is_a_value_where_it_is_attempted() -> None:
    app, book = app_of(Shop(1), None)

    @app.flow
    async def try_twice(ctx: cb.Context, input: Any) -> list[Any]:
        first, second = await book.attempt(ctx, room="1"), await ctx.attempt(book.call(ctx, room="2"))
        with pytest.raises(cb.ToolFailed, match="closed"):
            _ = first.value
        return [first.ok, first.kind, isinstance(first, cb.Failed), second.ok, second.kind, second.value]

    async with runtime(app) as test:
        assert await test.run(try_twice) == [False, "upstream_down", True, True, None, "booked 2"]


async def test_an_attempt_lets_a_cancel_and_a_mistake_through() -> None:
    app = cb.App("handling")

    @app.flow
    async def wait(ctx: cb.Context, input: Any) -> Any:
        return repr(await ctx.attempt(ctx.wait("never")))

    @app.flow
    async def mistake(ctx: cb.Context, input: Any) -> Any:
        return repr(await ctx.attempt(ctx.sleep(-1)))

    async with runtime(app) as test:
        handle = await test.start(wait)
        await test.settle()
        await handle.cancel()
        with pytest.raises(cb.RunCancelled):
            await handle.result(timeout=30)
        assert isinstance(await failure(await test.start(mistake)), InputInvalid)


async def test_a_retry_makes_the_same_call_again_with_the_same_key() -> None:
    shop = Shop(2)
    app, _ = app_of(shop, cb.retry(3))
    async with runtime(app) as test:
        handle = await start(test, app)
        assert await handle.result(timeout=30) == "booked 12a"
        done = [line for line in await story(test, handle) if line.startswith(("done", "failed"))]
    assert len(shop.keys) == 3
    assert len(set(shop.keys)) == 1
    assert [line.partition(":")[2] for line in done] == ["book", "book.retry", "sleep"] * 2 + ["book"]


async def test_retries_end_and_then_comes_what_stands_behind_them() -> None:
    shop = Shop()
    app, _ = app_of(shop, cb.retry(2, then=cb.use(lambda room: f"a tent for {room}")))
    async with runtime(app) as test:
        assert await (await start(test, app)).result(timeout=30) == "a tent for 12a"
    assert len(shop.keys) == 3


async def test_a_once_call_is_repeated_only_if_it_was_surely_not_applied() -> None:
    shop = Shop(1, cb.UpstreamRejected("not now"))
    app, _ = app_of(shop, cb.retry(2), effect="once")
    async with runtime(app) as test:
        assert await (await start(test, app)).result(timeout=30) == "booked 12a"
    shop = Shop()
    app, _ = app_of(shop, {"unknown_outcome": cb.retry(2)}, effect="once")
    async with runtime(app) as test:
        handle = await start(test, app)
        await decide(test, handle, "rejected")
        assert (await failure(handle)).kind is ErrorKind.UNKNOWN_OUTCOME
    assert len(shop.keys) == 1


async def test_each_kind_has_its_own_handling() -> None:
    app, _ = app_of(Shop(), {"timeout": cb.escalate(), "*": cb.use(lambda room: "a tent")})
    async with runtime(app) as test:
        assert await (await start(test, app)).result(timeout=30) == "a tent"
    app, _ = app_of(Shop(), {ErrorKind.TIMEOUT: cb.use(lambda room: "a tent")})
    async with runtime(app) as test:
        assert (await failure(await start(test, app))).kind is ErrorKind.UPSTREAM_DOWN


async def test_another_tool_stands_in_with_its_own_contract() -> None:
    other, shop = Shop(0), Shop()
    app = cb.App("handling")

    @app.tool(effect="idempotent")
    async def camp(room: str, key: cb.IdempotencyKey) -> str:
        return await other.book(room, key)

    @app.tool(effect="idempotent", retry=NEVER, on_failure=cb.use(camp))
    async def book(room: str, key: cb.IdempotencyKey) -> str:
        return await shop.book(room, key)

    @app.flow
    async def stay(ctx: cb.Context, input: Any) -> Any:
        return await book.call(ctx, room="12a")

    async with runtime(app) as test:
        handle = await test.start(stay)
        assert await handle.result(timeout=30) == "booked 12a"
        assert any(line.endswith(":camp") for line in await story(test, handle))
    assert other.keys != shop.keys


async def test_a_fallback_that_fails_leaves_its_own_failure() -> None:
    async def worse(room: str) -> str:
        raise ValueError("no tent")

    app, _ = app_of(Shop(), cb.use(worse))
    async with runtime(app) as test:
        assert "no tent" in str(await failure(await start(test, app)))


async def test_a_person_may_say_try_again_give_the_value_or_let_it_fail() -> None:
    for status, value, expected in (
        ("approved", None, "booked 12a"),
        ("edited", "by phone", "by phone"),
        ("rejected", None, None),
    ):
        shop = Shop(1)
        app, _ = app_of(shop, cb.escalate())
        async with runtime(app) as test:
            handle = await start(test, app)
            question = await open_question(test, handle)
            assert question.proposal["edit"] == "the value is its result"
            handle = await die_and_return(test, handle)
            await decide(test, handle, status, value)
            if expected is None:
                assert (await failure(handle)).kind is ErrorKind.UPSTREAM_DOWN
            else:
                assert await handle.result(timeout=30) == expected


async def test_a_value_that_does_not_fit_is_asked_for_again() -> None:
    app, _ = app_of(Shop(), cb.escalate())
    async with runtime(app) as test:
        handle = await start(test, app)
        await decide(test, handle, "edited", 7)
        question = await open_question(test, handle)
        assert "cannot be used" in question.proposal["complaint"]
        await decide(test, handle, "edited", "fits")
        assert await handle.result(timeout=30) == "fits"


async def test_nobody_who_answers_in_time_lets_it_fail() -> None:
    app, _ = app_of(Shop(), cb.escalate(timeout=60))
    async with runtime(app) as test:
        assert (await failure(await start(test, app))).kind is ErrorKind.UPSTREAM_DOWN


async def test_a_place_where_it_is_called_may_say_otherwise() -> None:
    app, book = app_of(Shop(), cb.escalate())

    @app.flow
    async def here(ctx: cb.Context, input: Any) -> Any:
        return await book.handled(cb.use(lambda room: "a tent")).call(ctx, room="1")

    async with runtime(app) as test:
        assert await test.run(here) == "a tent"


async def test_compensate_needs_a_saga_and_leaves_the_rest_to_it() -> None:
    shop = Shop()
    app = cb.App("handling")

    @app.tool(effect="idempotent", retry=NEVER, compensate=shop.unbook, on_failure=cb.compensate())
    async def book(room: str, key: cb.IdempotencyKey) -> str:
        return await shop.book(room, key)

    @app.flow
    async def within(ctx: cb.Context, input: Any) -> Any:
        async with ctx.saga():
            await book.call(ctx, room="1")

    @app.flow
    async def without(ctx: cb.Context, input: Any) -> Any:
        await book.call(ctx, room="2")

    async with runtime(app) as test:
        assert (await failure(await test.start(within))).kind is ErrorKind.UPSTREAM_DOWN
        assert shop.undone == [("1", None)]
        error = await failure(await test.start(without))
        assert isinstance(error, FlowMisuse)
        assert "async with ctx.saga()" in str(error)


async def test_an_agent_is_not_told_of_a_failure_that_is_to_be_compensated() -> None:
    shop, hotel = Shop(0), Shop()
    app = cb.App("handling")

    @app.tool(effect="idempotent", compensate=shop.unbook)
    async def fly(room: str, key: cb.IdempotencyKey) -> str:
        return await shop.book(room, key)

    @app.tool(effect="idempotent", retry=NEVER, on_failure={"upstream_down": cb.compensate()})
    async def book(room: str, key: cb.IdempotencyKey) -> str:
        return await hotel.book(room, key)

    model = cb.ScriptedModel([call("fly", room="12a"), call("book", room="12a"), "never asked"])
    clerk = app.agent("clerk", model=model, tools=[fly, book])

    @app.flow
    async def trip(ctx: cb.Context, input: Any) -> Any:
        async with ctx.saga():
            return await clerk.run(ctx, "go")

    async with runtime(app) as test:
        error = await failure(await test.start(trip))
        assert isinstance(error, cb.ToolFailed)
        assert error.detail["handling"] == "compensate"
    assert shop.undone == [("12a", "booked 12a")]


async def test_an_agent_is_told_of_arguments_that_do_not_fit_and_nobody_is_asked() -> None:
    app = cb.App("handling")

    @app.tool(effect="read", on_failure=cb.escalate())
    async def look(room: str) -> str:
        return "free"

    clerk = app.agent("clerk", model=cb.ScriptedModel([call("look", room=7), "sorry"]), tools=[look])
    async with runtime(app) as test:
        assert await test.run(clerk, "go") == "sorry"


async def test_what_an_upstream_says_counts_where_the_tool_says_nothing() -> None:
    shop = Shop(1)
    app, _ = app_of(shop, None, upstream="hotel")
    app.upstream("hotel", otherwise="escalate")
    async with runtime(app) as test:
        handle = await start(test, app)
        await decide(test, handle, "approved")
        assert await handle.result(timeout=30) == "booked 12a"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("retry", "is no handling"),
        ({"timed_out": cb.Retry()}, "is no kind of failure"),
        ({"timeout": cb.Retry()}, "is no handling"),
    ],
)
def test_what_is_no_handling_is_refused_where_it_is_declared(declared: Any, words: str) -> None:
    with pytest.raises(InputInvalid, match=words):
        app_of(Shop(), declared)


def test_a_default_value_is_no_fallback() -> None:
    with pytest.raises(InputInvalid, match="would be taken for a result"):
        cb.use("a tent")
    with pytest.raises(InputInvalid, match="not a number of calls"):
        cb.retry(0)
