"""The console of a small app, as a browser without script sees it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from argon2 import PasswordHasher
from pydantic import BaseModel

import callboard as cb
from callboard.access.passwords import Passwords
from callboard.apps.gateway.application import application
from callboard.domain.errors import ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.principal import Grant
from callboard.models import ModelRequest, call
from callboard.runtime import Access, Runtime
from callboard.settings import EngineSettings, Settings
from tests.acceptance.console.browser import EVIL, PASSWORD, Browser


class Order(BaseModel):
    """What a customer wants."""

    customer: str
    lines: list[str] = []
    count: int = 1
    speed: Literal["slow", "fast"] = "slow"
    gift: bool = False
    note: str | None = None


async def pack(line: str) -> str:
    """One line of an order, packed."""
    return f"{line} {EVIL}"


def shop() -> cb.App:
    """An app that asks, that fails, and that leaves an outcome unknown."""
    app = cb.App("shop")
    app.budget("tenant", "*", period="day", usd="100")

    @app.tool(effect="read", upstream="weather")
    async def forecast(city: str) -> str:
        raise ToolFailed(f"no forecast for {EVIL} in {city}")

    @app.tool(effect="once", upstream="bank")
    async def wire(to: str) -> str:
        raise TimeoutError("no answer")

    @app.flow
    async def refund(ctx: cb.Context, amount: int) -> dict[str, Any]:
        decision = await ctx.ask({"amount": amount, "to": EVIL, "items": [{"id": 1}]}, timeout=7_200)
        return {"approved": decision.approved, "value": decision.value, "by": decision.by, "note": decision.note}

    async def megabyte() -> str:
        return "x" * 1_000_000

    @app.flow
    async def bulky(ctx: cb.Context, count: int) -> int:
        for _ in range(count):
            await ctx.step(megabyte)
        return count

    @app.flow
    async def breaks(ctx: cb.Context, city: str) -> str:
        return str(await forecast.call(ctx, city=city))

    @app.flow
    async def pays(ctx: cb.Context, to: str) -> str:
        return str(await wire.call(ctx, to=to))

    asked = {"times": 0}

    @app.tool(effect="read", retry=cb.Retry(attempts=3, first=0.01))
    async def stock(item: str) -> str:
        asked["times"] += 1
        if asked["times"] == 1:
            raise ToolFailed(f"the stock is being counted {EVIL}", kind=ErrorKind.UPSTREAM_DOWN)
        return f"{item}: 3 {EVIL}"

    def play(request: ModelRequest) -> Any:
        return call("stock", item=f"tea {EVIL}") if request.turn == 0 else f"There are three. {EVIL}"

    app.model("scripted", cb.ScriptedModel(play, price=(1_000_000, 4_000_000)))
    teller = app.agent("teller", model="scripted", prompt=f"You know the stock. {EVIL}", tools=[stock])

    @app.flow
    async def supply(ctx: cb.Context, line: str) -> str:
        return line

    @app.flow
    async def order(ctx: cb.Context, wish: Order) -> Any:
        """Packs an order, asks the teller, and waits for the van."""
        packed = await ctx.gather(*[ctx.step(pack, line) for line in wish.lines])
        told = await teller.run(ctx, wish.customer)
        sent = await ctx.spawn(supply, wish.customer)
        return {"packed": packed, "told": told, "sent": sent, "van": await ctx.wait("van")}

    return app


class House:
    """The runtime, and browsers for whoever is wanted."""

    def __init__(self, rt: Runtime, clients: list[httpx2.AsyncClient]) -> None:
        self.rt = rt
        self.app = application(rt, bound="board.test")
        self._clients = clients

    def browser(self, **options: Any) -> Browser:
        """One where nobody is logged in."""
        transport = httpx2.ASGITransport(app=self.app, **options)
        client = httpx2.AsyncClient(transport=transport, base_url="http://board.test", headers={"Accept": "text/html"})
        self._clients.append(client)
        return Browser(client)

    async def person(self, login: str, *grants: Grant) -> Browser:
        """A browser in which a new person has logged in."""
        desk = self.rt.desk(self.rt.access.local("root"))
        await desk.credentials.add_person(login, f"{login} {EVIL}", PASSWORD, grants)
        browser = self.browser()
        assert (await browser.login(login)).status_code == 303
        return browser

    async def waiting(self, flow: str = "refund", input: Any = 250, tenant: str | None = None) -> tuple[Any, str]:
        """A run that waits for a person, and the id of its question."""
        handle = await self.rt.start(flow, input, tenant=tenant)
        for _ in range(400):
            found = await self.rt.store.approvals.find(tenant or "default", run_id=handle.id)
            if found:
                return handle, found[0].id
            await asyncio.sleep(0.01)
        raise AssertionError("nobody was asked")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    settings = Settings(
        store=f"sqlite:///{tmp_path / 'board.db'}", engine=EngineSettings(sweep=0.1, drain=0.2, step_timeout=5.0)
    )
    clients: list[httpx2.AsyncClient] = []
    async with cb.open(shop(), settings=settings) as rt:
        quick = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        rt.access = Access(rt.store, rt.services.clock, rt.settings, rt.counters, os.urandom, quick)
        try:
            yield House(rt, clients)
        finally:
            for client in clients:
                await client.aclose()
