"""w12: what it costs to tell of runs: the processor time of the same work with telemetry and without, in turns.

All of it counts. What the thread takes that makes the spans and sends them is read from its own clock, over all turns
and until everything has been told, and divided by the runs. All else of this process is compared turn by turn. The
collector is a process of its own, and its time is not ours. Where there are two cores, this process has one of them and
what it talks to the other, so that they do not wait for each other.
"""

import asyncio
import gc
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeAlias

import callboard as cb
from bench import steps
from bench.figure import Figure
from bench.other_process import ROOT
from bench.pairs import Turn, compare
from bench.places.place import Place
from bench.providers.callers import KEY, LENGTH, PROMPT, QUESTION
from bench.providers.measuring import NEEDED, answering
from bench.providers.wire import TEXT, TOOLS
from callboard.settings import EngineSettings, Settings, TelemetrySettings
from examples.retail import app as retail
from examples.retail import handle
from examples.retail.shop import data_folder

TURNS = {"w12_runs": (16, 120), "w12_agents": (16, 240), "w12_steps": (64, 120)}  # runs in a turn, pairs of turns
STEPS = 20
AT_ONCE = 16  # runs that ask a provider side by side
THREAD = "callboard-telemetry"
LOOK = 0.05  # seconds between two looks whether all has been told
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()  # none known: nothing is pinned

Work: TypeAlias = Sequence[tuple[Any, object]]


async def measure(place: Place) -> dict[str, Figure]:
    """Per cent of processor time that telemetry adds; everything is told, with content."""
    lines = (data_folder() / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = [(handle, json.loads(line)) for line in lines]
    with on_core(1), sink() as endpoint:
        figures = await _with_a_provider(place, endpoint)
        for key, app, work in (("w12_agents", retail, tasks), ("w12_steps", steps.app, [(steps.stepping, STEPS)])):
            figures[key] = await _added(key, place, endpoint, app, work)
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
            added = await _added("w12_runs", place, endpoint, app, [(asking, QUESTION)], AT_ONCE, TEXT)
        finally:
            await model.close()
    return {"w12_runs": added}


async def _added(
    key: str, place: Place, endpoint: str, app: cb.App, work: Work, at_once: int = 256, answer: str | None = None
) -> Figure:
    runs, pairs = TURNS[key]
    async with AsyncExitStack() as held:
        held.enter_context(on_core(0))

        async def opened(told: str) -> cb.Runtime:
            settings = Settings(
                store=place.store("w12"),
                engine=EngineSettings(concurrency=at_once),
                telemetry=TelemetrySettings(endpoint=told, content="on"),
            )
            return await held.enter_async_context(cb.open(app, settings=settings))

        telling, silent = await opened(endpoint), await opened("")

        def turn(rt: cb.Runtime) -> Turn:
            return lambda at: _turn(rt, [work[each % len(work)] for each in range(at * runs, (at + 1) * runs)], answer)

        gc.collect()
        found = await compare(turn(telling), turn(silent), pairs)
        metrics = telling.services.metrics
        while metrics.telemetry_told < metrics.started and not metrics.telemetry_dropped:  # noqa: ASYNC110
            await asyncio.sleep(LOOK)
        assert metrics.telemetry_told == metrics.started, metrics.telemetry_dropped
        sending = 100 * _telling_took() / metrics.started / (found.other / runs)
    return Figure(found.value + sending, spread=(found.low + sending, found.high + sending))


async def _turn(rt: cb.Runtime, work: Work, answer: str | None) -> float:
    """Processor seconds of all threads but the one that tells."""
    begun = time.process_time() - _telling_took()
    answers = await asyncio.gather(*[rt.run(flow, value) for flow, value in work])
    spent = time.process_time() - _telling_took() - begun
    assert answer is None or answers == [answer] * len(work)
    return spent


def _telling_took() -> float:
    """Processor seconds of the thread that tells, so far."""
    for thread in threading.enumerate():
        if thread.name == THREAD and thread.ident is not None:
            return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return 0.0


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """This thread, and what it begins meanwhile, on one core, where there are several."""
    cores = sorted(CORES)
    if len(cores) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


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
