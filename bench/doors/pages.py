"""pages: the console's pages on a store with 100,000 runs, each asked for twenty times over HTTP."""

import asyncio
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from bench.doors.filling import RUNS, fill
from bench.doors.flows import app
from bench.doors.processes import Served, fresh, gateway
from bench.doors.rows import PAGES, PAGES_OF_A_MILLION
from bench.figure import Figure
from bench.places.place import Place

TIMES = 20
_UNLIMITED: dict[str, Any] = {"gateway_limit": 0, "gateway_tenant_limit": 0}


async def measure(place: Place) -> dict[str, Figure]:
    """Milliseconds from the request to the last byte: half of them, and 95 %; and kilobytes."""
    return await _measured(place, RUNS, "page", PAGES)


async def measure_million(place: Place) -> dict[str, Figure]:
    """The same of lists on ten times as many runs."""
    return await _measured(place, 10 * RUNS, "million", PAGES_OF_A_MILLION)


async def _measured(place: Place, runs: int, key: str, pages: dict[str, str]) -> dict[str, Figure]:
    store = await fresh(place, app)
    figures: dict[str, Figure] = {}
    async with gateway(store, **_UNLIMITED) as door:
        filled = await fill(store, "default", runs)
        for name, path in pages.items():
            asked = [await _one(door, path.format(run=filled.run, long=filled.long)) for _ in range(TIMES)]
            times = [took for took, _ in asked]
            if not figures and key == "page":
                figures["page_first"] = Figure(times[0])
            figures[f"{key}_{name}"] = Figure(median(times))
            figures[f"{key}_{name}_p95"] = Figure(quantiles(times, n=20)[-1])
            figures[f"{key}_{name}_size"] = Figure(asked[-1][1] / 1e3)
    return figures


async def _one(door: Served, path: str) -> tuple[float, int]:
    """Milliseconds and bytes."""
    host, _, port = door.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (f"GET {path} HTTP/1.1", f"host: {door.address}", "accept: text/html", "connection: close", *door.headers)
    begun = perf_counter()
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    answer = await reader.read()
    took = (perf_counter() - begun) * 1e3
    writer.close()
    if not answer.startswith(b"HTTP/1.1 200") or b"</html>" not in answer:
        raise RuntimeError(f"{path} was answered with {answer[:300]!r}")
    return took, len(answer)
