"""w10: processor time of a call and of a stream of 200 chunks, and the time to its first words, side by side."""

import asyncio
import importlib.util
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import TypeAlias

from bench.figure import Figure
from bench.other_process import ROOT
from bench.places.place import Place
from bench.providers.callers import Caller, callers
from bench.providers.rows import APIS, ROWS, WHATS
from bench.providers.wire import TEXT

ROUNDS, CALLS, STREAMS, FIRSTS = 9, 40, 10, 10
NEEDED = ("pydantic_ai", "openai", "anthropic")

Samples: TypeAlias = dict[str, dict[str, list[float]]]


async def measure(place: Place) -> dict[str, Figure]:
    """Medians over interleaved rounds, the first of which warms up; nothing where the SDKs are not installed.

    The store is always in memory: what a place costs is measured elsewhere.
    """
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        print(f"   w10 is skipped: {', '.join(missing)} not installed", file=sys.stderr, flush=True)
        return {}
    if place.kind != "sqlite":
        return {}
    figures: dict[str, Figure] = {}
    added: dict[str, list[float]] = defaultdict(list)
    async with answering() as url:
        for api in APIS:
            async with AsyncExitStack() as held:
                samples = await _sampled(dict(await callers(api, url, held)))
            for what, by_row in samples.items():
                middle = {row: median(by_row[row][1:]) for row in ROWS}
                for row in ROWS:
                    floor = None if row == "sdk" else middle["library"]
                    figures[f"w10_{api}_{what}_{row}"] = Figure(middle[row], None if row == "library" else floor)
                more = middle["ours"] - middle["library"]
                added[what].append(more * 100 / middle["library"] if what == "stream" else more)
    return {f"w10_{what}_added": Figure(max(values)) for what, values in added.items()} | figures


async def _sampled(found: dict[str, Caller]) -> Samples:
    """What each round found, by what is measured and by caller; each round begins with another one."""
    samples: Samples = {what: defaultdict(list) for what in WHATS}
    order = list(found)
    for turn in range(1 + ROUNDS):
        for name in order[turn % len(order) :] + order[: turn % len(order)]:
            samples["call"][name].append(await _calls(found[name]))
            samples["stream"][name].append(await _streams(found[name]))
            samples["first"][name].append(await _firsts(found[name]))
    return samples


async def _calls(caller: Caller) -> float:
    """Processor milliseconds a call."""
    begun = time.process_time()
    for _ in range(CALLS):
        assert await caller.call() == TEXT
    return (time.process_time() - begun) * 1e3 / CALLS


async def _streams(caller: Caller) -> float:
    """Processor milliseconds a stream."""
    begun = time.process_time()
    for _ in range(STREAMS):
        assert "".join([text async for text in caller.stream()]) == TEXT
    return (time.process_time() - begun) * 1e3 / STREAMS


async def _firsts(caller: Caller) -> float:
    """Milliseconds from the question to the first words, the median of some."""
    times = []
    for _ in range(FIRSTS):
        begun, first = time.perf_counter(), 0.0
        async for _text in caller.stream():
            first = first or time.perf_counter() - begun
        times.append(first * 1e3)
    return median(times)


@asynccontextmanager
async def answering() -> AsyncIterator[str]:
    """The URL of a provider in another process, so that its work is not counted as ours."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.providers.answering", cwd=ROOT, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = (await process.stdout.readline()).decode().strip()
        if not port:
            raise RuntimeError("the answering process did not start; its message stands above")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        await process.wait()
