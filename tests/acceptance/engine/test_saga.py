"""A trip is booked as a whole or not at all: by a flow and by an agent, whatever fails and wherever it is cancelled."""

import asyncio
from typing import Any

import pytest

import callboard as cb
from callboard.testing import call, runtime
from tests.unit.engine.play import decide, die_and_return, failure

STOPS = ("flight", "hotel", "car", "insurance")


class Agency:
    """What is booked outside, by key; one stop may hang, and one may be sold out."""

    def __init__(self, *, hangs: str = "", sold_out: str = "", stuck: str = "") -> None:
        self.booked: dict[str, str] = {}
        self.called_off: list[str] = []
        self.hanging = asyncio.Event()
        self.stuck = stuck
        self._hangs = hangs
        self._sold_out = sold_out

    async def book(self, stop: str, key: str) -> str:
        if stop == self._sold_out:
            raise cb.UpstreamRejected("sold out")
        self.booked[key] = stop
        if stop == self._hangs:
            self.hanging.set()
            await asyncio.sleep(60)
        return f"{stop} booked"

    async def call_off(self, stop: str, key: str) -> None:
        if stop == self.stuck:
            raise cb.UpstreamDown("nobody answers")
        self.called_off.append(stop)
        self.booked.pop(key, None)


def app_of(agency: Agency) -> cb.App:
    app = cb.App("trip")

    def stop(name: str) -> Any:
        async def undo(original_key: str, result: str | None) -> None:
            assert result in (None, f"{name} booked")
            await agency.call_off(name, original_key)

        @app.tool(name=name, effect="idempotent", retry=cb.Retry(attempts=1), compensate=undo)
        async def book(to: str, key: cb.IdempotencyKey) -> str:
            """Books it."""
            return await agency.book(name, key)

        return book

    tools = [stop(name) for name in STOPS]

    @app.flow
    async def trip(ctx: cb.Context, to: str) -> list[str]:
        async with ctx.saga(retry=cb.Retry(attempts=2, first=0.1)):
            flight = await tools[0].call(ctx, to=to)
            rest = await ctx.gather(tools[1].call(ctx, to=to), tools[2].call(ctx, to=to))
            return [flight, *rest, await tools[3].call(ctx, to=to)]

    clerk = app.agent(
        "clerk", model=cb.ScriptedModel([[call(name, to="Rome") for name in STOPS], "all booked"]), tools=tools
    )

    @app.flow
    async def by_agent(ctx: cb.Context, to: str) -> str:
        async with ctx.saga():
            said: str = await clerk.run(ctx, f"book a trip to {to}")
            if said != "enough":
                raise ValueError("the client has left")
            return said

    return app


def flow(app: cb.App, name: str) -> Any:
    return next(each for each in app.flows() if each.name == name)


async def test_a_trip_that_can_be_booked_stays_booked() -> None:
    agency = Agency()
    app = app_of(agency)
    async with runtime(app) as test:
        assert await test.run(flow(app, "trip"), "Rome") == [f"{stop} booked" for stop in STOPS]
    assert sorted(agency.booked.values()) == sorted(STOPS)


@pytest.mark.parametrize(
    ("sold_out", "undone"), [*zip(STOPS, ([], ["car", "flight"], ["hotel", "flight"], None), strict=True)]
)
async def test_what_is_sold_out_undoes_the_rest(sold_out: str, undone: list[str] | None) -> None:
    agency = Agency(sold_out=sold_out)
    app = app_of(agency)
    async with runtime(app) as test:
        error = await failure(await test.start(flow(app, "trip"), "Rome"))
    assert error.kind == "upstream_rejected"
    assert agency.booked == {}
    assert agency.called_off == (["car", "hotel", "flight"] if undone is None else undone)


@pytest.mark.parametrize("hangs", STOPS)
@pytest.mark.parametrize("dies", [False, True])
async def test_a_cancel_undoes_what_was_done_and_what_was_in_flight(hangs: str, dies: bool) -> None:
    agency = Agency(hangs=hangs)
    app = app_of(agency)
    async with runtime(app) as test:
        handle = await test.start(flow(app, "trip"), "Rome")
        await asyncio.wait_for(agency.hanging.wait(), 5)
        await asyncio.sleep(0.05)
        if dies:
            await test.kill()
            await handle.cancel("ill")
            await test.restart()
            handle = test.rt.handle(handle.id)
        else:
            await handle.cancel("ill")
        with pytest.raises(cb.RunCancelled):
            await handle.result(timeout=30)
    assert agency.booked == {}


async def test_what_an_agent_booked_is_undone_too() -> None:
    agency = Agency()
    app = app_of(agency)
    async with runtime(app) as test:
        assert "left" in str(await failure(await test.start(flow(app, "by_agent"), "Rome")))
    assert agency.booked == {}
    assert agency.called_off == list(reversed(STOPS))


async def test_what_cannot_be_undone_waits_for_a_person_while_the_rest_is_undone() -> None:
    agency = Agency(sold_out="insurance", stuck="hotel")
    app = app_of(agency)
    async with runtime(app) as test:
        handle = await test.start(flow(app, "trip"), "Rome")
        await test.wind(seconds=60)
        assert await handle.status() == "waiting"
        assert list(agency.booked.values()) == ["hotel"]
        handle = await die_and_return(test, handle)
        agency.stuck = ""
        await decide(test, handle, "approved")
        assert (await failure(handle)).kind == "upstream_rejected"
    assert agency.booked == {}
