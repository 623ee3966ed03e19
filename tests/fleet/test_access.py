"""The desk of a door on PostgreSQL, which sees one tenant at a time: coming in, acting, and the record of it."""

import pytest

import callboard as cb
from callboard.domain.errors import Denied, InputInvalid, NotFound, StoreError, Unauthenticated
from callboard.domain.principal import Grant, Role
from callboard.runtime import Scope
from callboard.runtime import open as open_runtime
from callboard.settings import GatewaySettings, Settings
from callboard.store.runs import Search
from tests.conformance.store.postgres_home import PostgresHome

PASSWORD = "correct horse battery"


def built() -> cb.App:
    app = cb.App("access")
    app.upstream("shop", total=5.0)

    @app.flow
    async def wait(ctx: cb.Context, n: int) -> int:
        await ctx.wait("go")
        return n

    return app


async def test_a_door_lets_in_acts_and_records(postgres_home: PostgresHome) -> None:
    settings = Settings(gateway=GatewaySettings(secret="s" * 32))
    async with (
        open_runtime(built(), postgres_home.worker, settings=settings),
        open_runtime(built(), postgres_home.door, worker=False, settings=settings) as rt,
        open_runtime(built(), postgres_home.door, worker=False, settings=Settings()) as bare,
    ):
        with pytest.raises(InputInvalid, match="CALLBOARD_GATEWAY_SECRET is not set"):
            await bare.access.authenticate_key(f"cb_{'a' * 16}_{'a' * 52}")
        first = await rt.access.first_key()
        assert first is not None and await rt.access.first_key() is None
        boss = await rt.access.authenticate_key(first)
        north, south = (rt.desk(boss, tenant, "192.0.2.7") for tenant in ("north", "south"))
        made = await north.credentials.create_key("program", [Grant(Role.OPERATOR, "north")])
        await north.credentials.add_person("mia", "Mia", PASSWORD, [Grant(Role.VIEWER, "north")])
        assert (await south.credentials.keys(), await south.credentials.people()) == ([], [])
        program = rt.desk(await rt.access.authenticate_key(made.text), source="192.0.2.8")
        run = await program.runs.start("wait", 1)
        assert (await north.runs.search(Search()))[0].by == f"key:{made.key.id}"
        with pytest.raises(NotFound):
            await south.runs.cancel(run.id)
        entered = await rt.access.login("mia", PASSWORD, "192.0.2.9")
        mia = rt.desk((await rt.access.authenticate_login(entered.cookie))[0], source="192.0.2.9")
        with pytest.raises(Denied):
            await mia.runs.cancel(run.id)
        await program.runs.cancel(run.id, "enough")
        with pytest.raises(StoreError):  # a door's role sets no pauses, whoever stands at it
            await north.fleet.pause(Scope.FLOW, "wait")
        assert (await rt.access.rates.take(boss, "north", 1)).remaining > 0
        assert {each.state["phase"] for each in await north.fleet.upstreams()} == {None}  # not to be seen from a door
        new = await north.credentials.rotate_key(made.key.id, overlap=0.0)
        with pytest.raises(Unauthenticated):
            await rt.access.authenticate_key(made.text)
        assert (await rt.access.authenticate_key(new.text)).name == "program"
        await north.credentials.disable("mia")
        with pytest.raises(Unauthenticated):
            await rt.access.authenticate_login(entered.cookie)
        deeds = [(entry.deed.action, entry.deed.outcome) for entry in await north.audit.find()]
        assert deeds == [
            ("people:disable", "done"),
            ("keys:rotate", "done"),
            ("fleet:pause", "store_forbidden"),
            ("fleet:pause", "done"),
            ("runs:cancel", "done"),
            ("runs:cancel", "denied"),
            ("login", "done"),
            ("people:add", "done"),
            ("keys:create", "done"),
        ]
        assert (await north.audit.verify()).whole and (await south.audit.find()) == []
