"""w2: what a long conversation of one run leaves in the store, and whether late turns cost more than early ones."""

import time
from itertools import pairwise
from statistics import fmean, median

import callboard as cb
from bench.figure import Figure
from bench.payload import word_salad
from bench.places.place import Place, opened
from callboard.models import ModelRequest, Reply, call

TURNS, LENGTH, TIMES = 1_000, 1_000, 3
FIRST, LAST = slice(20, 120), slice(-100, None)  # the first 20 turns warm up
LIMITS = cb.Limits(turns=2 * TURNS, tool_calls=2 * TURNS, tokens=10**9, usd="1000000")


class Script:
    """Speaks 1,000 characters a turn and asks for a page, until the last turn; notes when it was asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._texts = [word_salad(turn, LENGTH) for turn in range(TURNS)]

    def reply(self, request: ModelRequest) -> Reply:
        self.asked.append(time.perf_counter())
        text = self._texts[request.turn]
        return text if request.turn == TURNS - 1 else [text, call("look", page=request.turn)]


async def measure(place: Place) -> dict[str, Figure]:
    """The floor of the bytes is the text alone; a turn's time at best does not grow at all."""
    sizes, growths = [], []
    for _ in range(TIMES):
        size, growth = await _converse(place)
        sizes.append(size / 1e6)
        growths.append(growth)
    return {"w2_bytes": Figure(median(sizes), TURNS * LENGTH / 1e6), "w2_growth": Figure(median(growths), 1.0)}


async def _converse(place: Place) -> tuple[int, float]:
    """Bytes that one run added, and the mean time of its last turns against that of its first."""
    app, script = cb.App("conversation"), Script()

    @app.tool(effect="read")
    async def look(page: int) -> str:
        """Looks at a page."""
        return "seen"

    talker = app.agent("talker", model=cb.ScriptedModel(script.reply), tools=[look], limits=LIMITS)
    store = place.store("w2")
    async with opened(app, store):
        pass
    empty = await place.settled_bytes(store)
    async with opened(app, store) as rt:
        await rt.run(talker, "begin")
    times = [after - before for before, after in pairwise(script.asked)]
    return await place.settled_bytes(store) - empty, fmean(times[LAST]) / fmean(times[FIRST])
