"""The pages of a gateway on PostgreSQL, whose log-in may see one tenant at a time and executes nothing."""

import asyncio
from collections.abc import Iterator

import pytest

import callboard as cb
from callboard.runtime import migrate_schema
from callboard.settings import GatewaySettings, Settings
from tests.acceptance.console.browser import ADMIN
from tests.acceptance.console.conftest import House, shop
from tests.servers.apart import apart
from tests.servers.postgres import PostgresServer, Roles

PAGES = ("", "/approvals", "/costs", "/costs?by=version", "/health", "/audit", "/access", "/settings", "/runs")


@pytest.fixture
def roles(postgres: PostgresServer) -> Iterator[Roles]:
    url = postgres.new_database("console")
    apart(migrate_schema(url, ("before", "after")))
    yield postgres.roles(url)
    postgres.drop_database(url)


async def test_all_pages_are_shown_by_a_door(roles: Roles) -> None:
    gateway = GatewaySettings(secret="s" * 48)
    worker = Settings(store=roles.worker, gateway=gateway)
    door = Settings(store=roles.door, gateway=gateway)
    clients: list = []
    async with (
        cb.open(shop(), settings=worker) as working,
        cb.open(shop(), settings=door, worker=False) as rt,
    ):
        house = House(rt, clients)
        browser = await house.person("ann", ADMIN)
        failed = await working.start("breaks", "Oslo")
        with pytest.raises(Exception, match="no forecast"):
            await failed.result()
        run, question = await house.waiting()
        for path in PAGES:
            answer = await browser.get(f"/console{path}")
            assert answer.status_code == 200, (path, answer.text)
        home = await browser.text("/console")
        assert "1 run failed in 24 h" in home and "1 question waits for a person" in home
        assert "No worker is alive" not in home
        assert (await browser.post(f"/console/approvals/{question}/decide", decision="approve")).status_code == 303
        assert (await asyncio.wait_for(run.result(), 60))["by"].startswith("ann")
        for client in clients:
            await client.aclose()
