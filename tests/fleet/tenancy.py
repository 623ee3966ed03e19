"""Two tenants in one database, who have something in every table; seen by workers and by doors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from callboard.domain.bill import Bill
from callboard.domain.usage import Usage
from callboard.store.controls import Control, Scope
from callboard.store.journal import Extras
from callboard.store.postgres import PostgresStore
from callboard.store.schedules import Schedule
from callboard.store.sessions import Meanwhile, NewTurn
from tests.conformance.store.access import deed, key, login, person
from tests.conformance.store.charging import charge, limit, reserve
from tests.conformance.store.play import ANNA, FLOWS, LATER, STRANGER, T0, TENANT, ask, event, new_run, park
from tests.conformance.store.postgres_home import PostgresHome
from tests.conformance.store.talking import URL, session

BILL = Bill(Usage(1, 1, 1), "writer", "small", 1)
BODY = b'"%s"' % (b"x" * 20_000)


class Tenancy:
    """A database in which two tenants have something in every table, and the numbers of their runs."""

    def __init__(self, home: PostgresHome, numbers: dict[str, int]) -> None:
        self.home = home
        self.mine, self.theirs = numbers[TENANT], numbers[STRANGER]

    @asynccontextmanager
    async def door(self, tenant: str | None = TENANT, login: str = "door") -> AsyncIterator[Any]:
        """A plain connection in a door's transaction, as somebody would have it who can slip in any SQL."""
        db = await asyncpg.connect(getattr(self.home, login))
        try:
            async with db.transaction():
                if login != "door":
                    await db.execute("SET LOCAL ROLE callboard_door")
                if tenant is not None:
                    await db.execute("SELECT set_config('callboard.tenant', $1, true)", tenant)
                yield db
        finally:
            await db.close()

    async def refuses(self, statement: str, *values: object) -> None:
        """The database does not let a door do that."""
        async with self.door() as db:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement, *values)


async def _settle_in(store: PostgresStore, tenant: str) -> None:
    await store.runs.start(new_run(tenant=tenant, input=BODY, id=f"{tenant}-run", webhook=URL))
    (found,) = await store.claims.claim(ANNA, FLOWS, 1, LATER)
    await store.journal.append(found.claim, [event(1)], Extras(asks=(ask(id=f"{tenant}-question"),), bills=(BILL,)))
    await reserve(store, found.claim, charge(), seq=2)
    await store.claims.settle(found.claim, park())
    await store.budgets.put(limit(tenant=tenant))
    await store.answers.put(tenant, b"question", BODY, T0)
    await store.inbox.send(tenant, found.run.id, "signal:secret", b"null", LATER)
    await store.schedules.put(Schedule(tenant=tenant, name="nightly", flow="order", cron="* * * * *", next_at=T0))
    await store.controls.put(Control(scope=Scope.TENANT, name=tenant))
    await store.sessions.create(session(id=f"{tenant}-talk", tenant=tenant))
    turn = NewTurn(id=f"{tenant}-turn", message="hello", at=T0)
    await store.sessions.add(tenant, f"{tenant}-talk", turn, Meanwhile.QUEUE)
    await store.deliveries.rotate(tenant, LATER)
    await store.keys.add(key(id=f"{tenant}-key", tenant=tenant))
    await store.people.put(person(login=f"{tenant}-mia", tenant=tenant))
    await store.people.enter(login(mac=tenant.encode(), tenant=tenant))
    await store.audit.append(tenant, deed())


async def settled(home: PostgresHome) -> Tenancy:
    """Empties the database and lets both tenants settle in it."""
    home.empty()
    store = PostgresStore(home.worker)
    await store.open()
    try:
        await store.claims.register(ANNA, T0)
        for tenant in (TENANT, STRANGER):
            await _settle_in(store, tenant)
    finally:
        await store.close()
    db = await asyncpg.connect(home.owner)
    try:
        return Tenancy(home, dict(await db.fetch("SELECT tenant, number FROM runs")))
    finally:
        await db.close()
