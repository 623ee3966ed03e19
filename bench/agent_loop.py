"""w9: what a model call costs in processor time, with its tool call, its journal and everything around."""

import asyncio
import time
from statistics import median
from typing import Any

import callboard as cb
from bench.figure import Figure
from bench.payload import PAYLOAD
from bench.places.place import Place, opened
from callboard.models import ModelRequest, Reply, call

CALLS, RUNS, TIMES = 20, 100, 5

app = cb.App("loop")


@app.tool(effect="read")
async def search(q: str) -> dict[str, Any]:
    """Searches the corpus.

    Args:
        q: what to look for.
    """
    return PAYLOAD


def script(request: ModelRequest) -> Reply:
    return call("search", q=f"query {request.turn}") if request.turn < CALLS - 1 else "done"


agent = app.agent("searcher", model=cb.ScriptedModel(script), prompt="be brief", tools=[search])


async def measure(place: Place) -> dict[str, Figure]:
    """Milliseconds of all threads of this process; the first round warms up."""
    costs = []
    async with opened(app, place.store("w9")) as rt:
        for _ in range(1 + TIMES):
            begun = time.process_time()
            answers = await asyncio.gather(*[rt.run(agent, "hello") for _ in range(RUNS)])
            costs.append((time.process_time() - begun) * 1e3 / (RUNS * CALLS))
            assert answers == ["done"] * RUNS
    return {"w9": Figure(median(costs[1:]))}
