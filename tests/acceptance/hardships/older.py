"""Flows whose runs were recorded before models had routes, budgets and reservations with notes.

`python -m tests.acceptance.hardships.older FOLDER` records them with the version at hand.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import callboard as cb
from callboard.models import call
from callboard.models.scripted import Fault
from callboard.testing import runtime

ASKED: Counter[str] = Counter()
app = cb.App("older")


@app.tool(effect="read")
async def look(item: str) -> str:
    """Looks."""
    return f"no {item} yet"


def _patient(request: Any) -> Any:
    ASKED["patient"] += 1
    return call("look", item="hat") if request.turn < 6 else "I give up"


def _brief(request: Any) -> Any:
    ASKED["brief"] += 1
    return "yes"


def _two_turns(request: Any) -> Any:
    ASKED["shaky"] += 1
    return call("look", item="coat") if request.turn == 0 else "there is none"


PRICE = (3_000_000, 9_000_000)
patient = app.agent("patient", model=cb.ScriptedModel(_patient, price=PRICE), tools=[look])
brief = app.agent("brief", model=cb.ScriptedModel(_brief, price=PRICE), max_output_tokens=50)
other = app.agent("other", model=cb.ScriptedModel(_brief, price=PRICE), max_output_tokens=50)
shaky = app.agent(
    "shaky",
    model=cb.ScriptedModel(_two_turns, price=PRICE, faults=[Fault("rate_limited", turn=0, attempts=2)]),  # type: ignore[arg-type]
    tools=[look],
)
broken = app.agent(
    "broken",
    model=cb.ScriptedModel(_brief, price=PRICE, faults=[Fault("upstream_down", attempts=9)]),  # type: ignore[arg-type]
)


@app.flow
async def ping_pong(ctx: cb.Context, rounds: int) -> list[str]:
    """Two agents in turn, with the same words."""
    return [str(await each.run(ctx, "ready?")) for _ in range(rounds) for each in (brief, other)]


@app.flow
async def careful(ctx: cb.Context, _: Any) -> str:
    """Knows what to do when a model fails."""
    try:
        return str(await broken.run(ctx, "go"))
    except cb.CallboardError as failure:
        return f"{await brief.run(ctx, 'instead')} after {failure.code} {getattr(failure, 'kind', '')}"


@app.flow
async def casual(ctx: cb.Context, _: Any) -> list[str]:
    """Hands over what is not there."""
    return [str(await brief.run(ctx, None)), str(await other.run(ctx, "and?", context=[None, ""]))]


INPUTS: dict[str, Any] = {
    "casual": None,
    "patient": "find a hat",
    "ping_pong": 5,
    "shaky": "find a coat",
    "careful": None,
}


async def record(folder: Path) -> None:
    """Runs each to its end and writes what became of it."""
    from tests.replay.journal_file import write

    for name, value in INPUTS.items():
        async with runtime(app) as test:
            handle = await test.start(name, value)
            for _ in range(20):
                await test.wind(60)
            events = await test.rt.store.journal.read("default", handle.id)
            write(folder / f"{name}.jsonl", await handle.run(), events)


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
