"""pages: the console's pages on a store with 100,000 runs, each asked for twenty times over HTTP."""

import asyncio
from statistics import median, quantiles
from time import perf_counter
from typing import Any

from bench.doors.filling import fill
from bench.doors.flows import app
from bench.doors.processes import Served, fresh, gateway
from bench.doors.rows import PAGES
from bench.figure import Figure
from bench.places.place import Place

TIMES = 20
_UNLIMITED: dict[str, Any] = {"gateway_limit": 0, "gateway_tenant_limit": 0}


async def measure(place: Place) -> dict[str, Figure]:
    """Milliseconds from the request to the last byte: half of them, and 95 %."""
    store = await fresh(place, app)
    figures: dict[str, Figure] = {}
    async with gateway(store, **_UNLIMITED) as door:
        run_id = await fill(store, "default")
        for name, path in PAGES.items():
            times = [await _one(door, path.format(run=run_id)) for _ in range(TIMES)]
            figures[f"page_{name}"] = Figure(median(times))
            figures[f"page_{name}_p95"] = Figure(quantiles(times, n=20)[-1])
    return figures


async def _one(door: Served, path: str) -> float:
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
    return took
