"""Starting runs: idempotency keys, typed inputs, and flows that cannot be declared."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, Field

import callboard as cb
from callboard.domain.errors import InputInvalid, KeyConflict, NotFound
from callboard.settings import EngineSettings
from callboard.testing import runtime
from tests.unit.engine.play import Counter


class Ticket(BaseModel):
    number: int = Field(alias="ticketNumber")
    text: str = ""


def app_of(counter: Counter) -> cb.App:
    app = cb.App("starting")

    @app.flow
    async def flow(ctx: cb.Context, value: Any) -> list[Any]:
        return [value, await ctx.step(counter.count)]

    @app.flow
    async def other(ctx: cb.Context, value: Any) -> str:
        return "other"

    @app.flow
    async def typed(ctx: cb.Context, ticket: Ticket) -> int:
        assert isinstance(ticket, Ticket)
        return ticket.number

    return app


async def test_one_key_with_one_input_is_one_run() -> None:
    counter = Counter()
    async with runtime(app_of(counter)) as test:
        handles = await asyncio.gather(*[test.start("flow", {"a": 1, "b": 2}, key="k") for _ in range(20)])
        again = await test.start("flow", {"b": 2, "a": 1}, key="k")  # the order of names says nothing
        assert {handle.id for handle in handles} == {again.id}
        assert await again.result(timeout=30) == [{"a": 1, "b": 2}, 1]
        later = await test.start("flow", {"a": 1, "b": 2}, key="k")  # also when it has ended
        assert await later.result(timeout=30) == [{"a": 1, "b": 2}, 1]
    assert counter.calls == 1


async def test_one_key_with_two_inputs_is_a_conflict_that_names_the_run() -> None:
    async with runtime(app_of(Counter())) as test:
        first = await test.start("flow", 1, key="k")
        with pytest.raises(KeyConflict, match=f"key 'k' of flow flow belongs to run {first.id}") as caught:
            await test.start("flow", 2, key="k")
        assert "use another key" in str(caught.value)
        assert await first.result(timeout=30) == [1, 1]


async def test_a_key_counts_within_its_tenant_and_its_flow() -> None:
    async with runtime(app_of(Counter())) as test:
        runs = [
            await test.start("flow", 1, key="k"),
            await test.start("flow", 2, key="k", tenant="acme"),
            await test.start("other", 3, key="k"),
        ]
        assert len({run.id for run in runs}) == 3


@pytest.mark.parametrize("key", ["", "x" * 513, 7])
async def test_a_key_that_is_none_is_refused(key: Any) -> None:
    async with runtime(app_of(Counter())) as test:
        with pytest.raises(InputInvalid, match="key="):
            await test.start("flow", 1, key=key)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tenant": ""}, "tenant='' is empty"),
        ({"priority": "high"}, "priority='high'"),
        ({"priority": 10**9}, "priority="),
        ({"labels": {"n": 1}}, "label 'n'=1 is not text"),
    ],
)
async def test_options_that_cannot_be_are_refused(options: Any, said: str) -> None:
    async with runtime(app_of(Counter())) as test:
        with pytest.raises(InputInvalid, match=said):
            await test.start("flow", 1, **options)


async def test_an_input_may_be_given_as_its_type_or_as_its_json() -> None:
    async with runtime(app_of(Counter())) as test:
        assert await test.run("typed", {"ticketNumber": 7}) == 7
        assert await (await test.start("typed", Ticket(ticketNumber=8))).result(timeout=30) == 8


async def test_bytes_that_are_no_base64_are_an_invalid_input() -> None:
    app = cb.App("starting")

    @app.flow
    async def flow(ctx: cb.Context, data: bytes) -> int:
        return len(data)

    async with runtime(app) as test:
        assert await test.run(flow, b"\x00\xff") == 2
        with pytest.raises(InputInvalid, match="the input of flow"):
            await test.start(flow, "é not base64")


async def test_an_input_as_its_type_and_as_its_json_is_one_input_under_one_key() -> None:
    async with runtime(app_of(Counter())) as test:
        first = await test.start("typed", {"ticketNumber": 7, "text": "x"}, key="k")
        await first.result(timeout=30)
        assert (await test.start("typed", {"text": "x", "ticketNumber": 7}, key="k")).id == first.id


async def test_a_flow_that_is_not_there_is_not_found_and_the_others_are_named() -> None:
    async with runtime(app_of(Counter())) as test:
        with pytest.raises(NotFound, match="no flow 'flaw' in this app; it has: flow, other, typed"):
            await test.start("flaw", 1)
        with pytest.raises(InputInvalid, match="neither a flow nor an agent"):
            await test.start(print, 1)


async def test_runs_of_a_higher_priority_begin_first() -> None:
    app, order = cb.App("starting"), []

    @app.flow
    async def flow(ctx: cb.Context, n: int) -> None:
        order.append(n)

    async with runtime(app, settings=EngineSettings(sweep=0.05, drain=2.0, concurrency=1)) as test:
        await test.kill()
        for n in (0, 5, -5, 3):
            await test.start(flow, n, priority=n)
        await test.restart()
        await test.settle()
    assert order == [5, 3, 0, -5]


def test_what_cannot_be_a_flow_is_refused_where_it_is_declared() -> None:
    app = cb.App("starting")

    def not_async(ctx: Any, value: Any) -> None: ...

    async def one_parameter(ctx: Any) -> None: ...

    async def unreadable(ctx: Any, value: Counter) -> None: ...

    async def unresolved(ctx: Any, value: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    for body, said in (
        (not_async, "not an async function"),
        (one_parameter, "takes 1 parameters"),
        (unreadable, "cannot be read from JSON"),
        (unresolved, "cannot be resolved"),
    ):
        with pytest.raises(InputInvalid, match=said):
            app.flow(body)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match="contains '@'"):
        app.flow(name="a@b")(one_parameter)  # type: ignore[arg-type]


def test_a_name_and_version_can_be_declared_once() -> None:
    app = cb.App("starting")

    async def body(ctx: Any, value: Any) -> None: ...

    app.flow(name="flow")(body)
    app.flow(name="flow", version="2")(body)
    with pytest.raises(InputInvalid, match="has a flow flow@1 already"):
        app.flow(name="flow")(body)
