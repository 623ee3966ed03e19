"""Choosing ready runs when pauses and limits have a say in it."""

import contextlib
import time
from collections import Counter
from typing import Any

from callboard.connections.postgres import Database, begun
from callboard.store.controls import Scope
from callboard.store.postgres.sql import statements
from callboard.store.postgres.workers import Workers

_SQL = statements("claims")
_SUSPECTS = _SQL["candidates"].replace("deaths = 0", "deaths > 0")
_FRESH = 1.0  # seconds for which what was read of the controls counts
_TURN = 0x63616C6C  # names the lock under which claims with limits take turns
_Place = tuple[str, str]


class Limits:
    """The pauses and limits in force, as of at most a second ago."""

    def __init__(self) -> None:
        self.tenants: list[str] = []  # paused
        self.flows: list[str] = []
        self._most: dict[_Place, int] = {}
        self._read = float("-inf")

    @property
    def counted(self) -> bool:
        """Whether runs have to be counted before any is claimed."""
        return bool(self._most)

    async def refresh(self, db: Any) -> None:
        """Reads them, unless they were read a moment ago."""
        if time.monotonic() - self._read < _FRESH:
            return
        rows = await db.fetch(_SQL["in_force"])
        self._read = time.monotonic()
        self.tenants = sorted(name for scope, name, paused, _ in rows if paused and scope == Scope.TENANT)
        self.flows = sorted(name for scope, name, paused, _ in rows if paused and scope == Scope.FLOW)
        self._most = {(scope, name): running for scope, name, paused, running in rows if not paused}

    async def claim(
        self,
        db: Any,
        database: Database,
        workers: Workers,
        worker: str,
        flows: list[str],
        limit: int,
        at: float,
        suspects: bool,
        labels: list[str],
    ) -> list[Any]:
        """Claims as many as the limits leave room for. All workers that have limits to keep take turns, so what is
        counted here still holds when the runs are claimed."""
        async with contextlib.nullcontext() if database.bouncing else begun(db, "BEGIN"):
            await db.execute(_SQL["take_turns"], _TURN)
            await workers.keep(db, worker)
            free = await self._free(db)
            chosen: list[int] = []
            statement = _SUSPECTS if suspects else _SQL["candidates"]
            while len(chosen) < limit:
                full = {
                    scope: [name for (s, name), left in free.items() if s == scope and left <= 0] for scope in Scope
                }
                shut = self.tenants + full[Scope.TENANT], self.flows + full[Scope.FLOW]
                rows = await db.fetch(statement, limit - len(chosen), flows, labels, *shut, chosen)
                if not rows:
                    break
                chosen += [number for number, tenant, flow in rows if _enter(free, tenant, flow)]
            return list(await db.fetch(_SQL["claim_these"], worker, at, chosen)) if chosen else []

    async def _free(self, db: Any) -> dict[_Place, int]:
        names = {scope: [name for s, name in self._most if s == scope] for scope in Scope}
        executed: Counter[_Place] = Counter()
        for tenant, flow, count in await db.fetch(_SQL["executed"], names[Scope.TENANT], names[Scope.FLOW]):
            executed[Scope.TENANT, tenant] += count
            executed[Scope.FLOW, flow] += count
        return {place: most - executed[place] for place, most in self._most.items()}


def _enter(free: dict[_Place, int], tenant: str, flow: str) -> bool:
    """Takes a place of the tenant and one of the flow, if both have one or need none."""
    places = [p for p in ((Scope.TENANT.value, tenant), (Scope.FLOW.value, flow)) if p in free]
    if any(free[p] <= 0 for p in places):
        return False
    for p in places:
        free[p] -= 1
    return True
