"""doors: starts over HTTP beside calling the runtime and beside a bare route; streams; twice as much as it can."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import msgspec

from bench.doors.flows import app
from bench.doors.orders import Found, Load
from bench.doors.overload import overloaded
from bench.doors.processes import Loading, Served, bare, calling, fresh, gateway, loading
from bench.doors.streaming import streamed
from bench.figure import Figure
from bench.payload import PAYLOAD
from bench.places.place import Place

ROUNDS, SECONDS, CLIENTS, LINES = 5, 2.0, 200, 500
BODY = msgspec.json.encode({"flow": "echo", "input": PAYLOAD}).decode()
UNLIMITED: dict[str, Any] = {"gateway_limit": 0, "gateway_tenant_limit": 0, "gateway_start_limit": 0} | dict.fromkeys(
    ("max_ready", "max_ready_tenant"), 1_000_000_000
)


class Side:
    """One of those that are compared: how a load is put on it, and what it costs its process."""

    def __init__(self, load: Loading, served: Served | None = None) -> None:
        self._load = load
        self._served = served

    async def take(self, clients: int, rate: float = 0.0, seconds: float = SECONDS) -> tuple[Found, float]:
        """What came of a load of starts, and processor seconds for each of them."""
        headers = () if self._served is None else self._served.headers
        before = 0.0 if self._served is None else self._served.cpu()
        order = Load(path="/v1/runs", body=BODY, headers=headers, seconds=seconds, connections=clients, rate=rate)
        found = await self._load.carry_out(order)
        spent = found.cpu if self._served is None else self._served.cpu() - before
        if found.good != sum(found.counts.values()) or found.unanswered:
            raise RuntimeError(f"not every start was answered with 201: {found}")
        return found, spent / found.good


async def measure(place: Place) -> dict[str, Figure]:
    """All three; rounds of door, runtime and bare route follow each other, so that a busy machine slows all of them."""
    figures, most = await _starts(await fresh(place, app))
    figures |= await streamed(place, UNLIMITED)
    return figures | await overloaded(place, BODY, most, UNLIMITED)


async def _starts(store: str) -> tuple[dict[str, Figure], float]:
    """Figures, and the most starts a second."""
    async with AsyncExitStack() as held:
        door, floor = (
            await held.enter_async_context(gateway(store, **UNLIMITED)),
            await held.enter_async_context(bare()),
        )
        sides = {
            "door": Side(await held.enter_async_context(loading(door)), door),
            "direct": Side(await held.enter_async_context(calling(store))),
            "bare": Side(await held.enter_async_context(loading(floor)), floor),
        }
        full = await _rounds(sides, CLIENTS, 0.0)
        most = _middle([found.good / found.seconds for found, _ in full["door"]])
        half = await _rounds(sides, LINES, most / 2)
    rates = {name: _middle([found.good / found.seconds for found, _ in full[name]]) for name in sides}
    costs = {name: _middle([cost * 1e6 for _, cost in full[name]]) for name in sides}
    figures = {
        "door_rate": Figure(rates["door"], rates["bare"]),
        "door_direct_rate": Figure(rates["direct"]),
        "door_cpu": Figure(costs["door"], costs["bare"]),
        "door_direct_cpu": Figure(costs["direct"]),
        "door_added_cpu": Figure(costs["door"] - costs["direct"], costs["bare"]),
    }
    for what, rounds in (("full", full), ("half", half)):
        times = {name: _times(found) for name, found in rounds.items()}
        for number, share in enumerate(("p50", "p99")):
            figures[f"door_{what}_{share}"] = Figure(times["door"][number], times["bare"][number])
            figures[f"door_{what}_direct_{share}"] = Figure(times["direct"][number])
    return figures, most


async def _rounds(sides: dict[str, Side], clients: int, rate: float) -> dict[str, list[tuple[Found, float]]]:
    rounds: dict[str, list[tuple[Found, float]]] = {name: [] for name in sides}
    for side in sides.values():
        await side.take(clients, rate, SECONDS / 4)  # to warm up
    for _ in range(ROUNDS):
        for name, side in sides.items():
            rounds[name].append(await side.take(clients, rate))
    return rounds


def _times(rounds: Sequence[tuple[Found, float]]) -> tuple[float, float]:
    """The middle p50 and the middle p99, in milliseconds."""
    return _middle([found.p50["201"] * 1e3 for found, _ in rounds]), _middle(
        [found.p99["201"] * 1e3 for found, _ in rounds]
    )


def _middle(values: Sequence[float]) -> float:
    return float(median(values))
