"""Twice as many requests as there can be starts: what is let in must still be answered soon, the rest told at once."""

from typing import Any

import msgspec

from bench.doors.flows import app
from bench.doors.orders import Found, Load
from bench.doors.processes import fresh, gateway, loading
from bench.figure import Figure
from bench.places.place import Place

SECONDS, LINES = 8.0, 2_000


async def overloaded(place: Place, body: str, most: float, options: dict[str, Any]) -> dict[str, Figure]:
    """Once with the limits that users get, and once without any but that of requests at a time."""
    figures: dict[str, Figure] = {}
    for what, chosen in (("over", {}), ("crowd", options)):
        async with gateway(await fresh(place, app), **chosen) as door, loading(door) as load:
            order = Load(path="/v1/runs", body=body, headers=door.headers, seconds=1.0, connections=LINES, rate=50.0)
            await load.carry_out(order)  # to warm up, and so that memory for connections is not counted
            before = door.memory()
            found = await load.carry_out(msgspec.structs.replace(order, seconds=SECONDS, rate=2 * most))
            grown = door.memory() - before
        figures |= _figures(what, found, grown)
    return figures


def _figures(what: str, found: Found, grown: int) -> dict[str, Figure]:
    shed = found.counts.get("429", 0)
    answered = sum(found.counts.values())
    return {
        f"{what}_offered": Figure((answered + found.unanswered) / SECONDS),
        f"{what}_admitted": Figure(found.good / found.seconds),
        f"{what}_p99": Figure(found.p99.get("201", float("nan")) * 1e3),
        f"{what}_shed": Figure(100 * shed / answered),
        f"{what}_shed_p99": Figure(found.p99.get("429", float("nan")) * 1e3),
        f"{what}_wrong": Figure(float(answered - shed - found.good + found.unanswered)),
        f"{what}_memory": Figure(grown / 1e6),
    }
