"""w12: what it costs to tell of runs: the processor time of the same work with telemetry and without, taken in turns.

All of it counts, also the reading of journals in the background and what is sent when the process stops. The collector
is a process of its own, and its time is not ours.
"""

import asyncio
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, TypeAlias

import callboard as cb
from bench import steps
from bench.figure import Figure
from bench.other_process import ROOT
from bench.places.place import Place
from bench.providers.callers import KEY, LENGTH, PROMPT, QUESTION
from bench.providers.measuring import NEEDED, answering
from bench.providers.wire import TEXT, TOOLS
from callboard.settings import EngineSettings, Settings, TelemetrySettings
from examples.retail import app as retail
from examples.retail import handle
from examples.retail.shop import data_folder

TIMES, TASKS, RUNS, STEPS = 9, 300, 300, 20
CALLING, AT_ONCE = 100, 16  # runs that ask a provider in a round, and how many of them side by side

Work: TypeAlias = Sequence[tuple[Any, object]]


async def measure(place: Place) -> dict[str, Figure]:
    """Per cent of processor time that telemetry adds; everything is told, with content. The first pair warms up."""
    lines = (data_folder() / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = [json.loads(lines[at % len(lines)]) for at in range(TASKS)]
    with sink() as endpoint:
        figures = await _with_a_provider(place, endpoint)
        figures["w12_agents"] = Figure(await _added(place, endpoint, retail, [(handle, task) for task in tasks]))
        figures["w12_steps"] = Figure(await _added(place, endpoint, steps.app, [(steps.stepping, STEPS)] * RUNS))
    return figures


async def _with_a_provider(place: Place, endpoint: str) -> dict[str, Figure]:
    """The same for an agent whose model is asked over HTTP: it calls a tool, then answers."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        print(f"   w12_runs is skipped: {', '.join(missing)} not installed", file=sys.stderr, flush=True)
        return {}
    from callboard.models.providers import provide

    app = cb.App("telling")

    @app.tool(effect="read")
    async def weather(city: str) -> str:
        """What the weather is like in a city."""
        return "fine"

    async with answering() as url:
        model = provide("openai:gpt-4o", url=f"{url}{TOOLS}/v1", api_key=KEY, stream=False)
        try:
            asking = app.agent("asking", model=model, prompt=PROMPT, tools=[weather], max_output_tokens=LENGTH)
            added = await _added(place, endpoint, app, [(asking, QUESTION)] * CALLING, AT_ONCE, TEXT)
        finally:
            await model.close()
    return {"w12_runs": Figure(added)}


async def _added(
    place: Place, endpoint: str, app: cb.App, work: Work, at_once: int = 256, answer: str | None = None
) -> float:
    costs: list[float] = []
    for at in range(1 + TIMES):
        pair = {}
        for told in (True, False) if at % 2 else (False, True):
            pair[told] = await _cost(place, endpoint if told else "", app, work, at_once, answer)
        costs.append(100 * (pair[True] / pair[False] - 1))
    return median(costs[1:])


async def _cost(place: Place, endpoint: str, app: cb.App, work: Work, at_once: int, answer: str | None) -> float:
    settings = Settings(
        store=place.store("w12"),
        engine=EngineSettings(concurrency=at_once),
        telemetry=TelemetrySettings(endpoint=endpoint, content="on"),
    )
    begun = time.process_time()
    async with cb.open(app, settings=settings) as rt:
        answers = await asyncio.gather(*[rt.run(flow, value) for flow, value in work])
        metrics = rt.services.metrics
    spent = time.process_time() - begun
    assert answer is None or answers == [answer] * len(work)
    assert metrics.telemetry_told == (len(work) if endpoint else 0), metrics.telemetry_dropped
    return spent


@contextmanager
def sink() -> Iterator[str]:
    """The address of a collector."""
    process = subprocess.Popen([sys.executable, "-m", "bench.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
