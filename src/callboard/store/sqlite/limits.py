"""Choosing ready runs when pauses and limits have a say in it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import apsw
import msgspec

from callboard.store.controls import Scope
from callboard.store.sqlite.sql import every, statements

_SQL = statements("claims")
_CONTROLS = statements("controls")


def choose(db: apsw.Connection, wanted: Mapping[str, Any]) -> str | None:
    """The numbers of the runs to claim as a JSON array, or None when nothing is paused or limited.

    Writers take turns on SQLite, so what is counted here still holds when the runs are claimed.
    """
    free: dict[tuple[str, str], float] = {
        (scope, name): 0 if paused else running for scope, name, paused, running in every(db, _CONTROLS["in_force"])
    }
    if not free:
        return None
    executed: Counter[tuple[str, str]] = Counter()
    for tenant, flow, count in every(db, _SQL["executed"]):
        executed[Scope.TENANT, tenant] += count
        executed[Scope.FLOW, flow] += count
    for place in free:
        free[place] -= executed[place]
    chosen: list[int] = []
    for number, tenant, flow in db.execute(_SQL["candidates"], wanted):
        places = [p for p in ((Scope.TENANT, tenant), (Scope.FLOW, flow)) if p in free]
        if len(chosen) == wanted["limit"]:
            break
        if all(free[p] > 0 for p in places):
            chosen.append(number)
            for p in places:
                free[p] -= 1
    return msgspec.json.encode(chosen).decode()
