"""Costs come to the same total whatever they are summed by and whatever became of the runs."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import callboard as cb
from callboard.domain.errors import CallboardError, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Role, Text
from callboard.domain.run import RunStatus
from callboard.domain.usage import Usage
from callboard.models import ModelRequest, ModelResponse
from callboard.models.info import ModelInfo, Price
from callboard.models.model import StreamPart
from callboard.runtime import COSTS_BY, UNBILLED, Runtime, Sums, build
from callboard.settings import Settings
from callboard.testing import Fault, ScriptedModel
from tests.fleet.orders import ENGINE

PRICE = Price(1_000_000, 2_000_000, 100_000, source="test")
WORDS = ("fine", "review", "child", "keep", "refuse", "own")
MONTH = 30 * 86_400.0


def said(request: ModelRequest) -> ModelResponse:
    text = request.messages[-1].text
    if text == "refuse":
        raise ModelFailed("no", kind=ErrorKind.INVALID_REQUEST)
    usage = Usage(100, 50, cached_tokens=40)
    usage = Usage(100, 50, PRICE.of(usage), 40)
    return ModelResponse(Message(Role.ASSISTANT, (Text(text),)), usage, price=PRICE)


class Sleeper:
    """A model that answers only when it is let."""

    name = "sleeper"
    info = ModelInfo(name="sleeper", upstream="sleeper", price=PRICE)

    def __init__(self) -> None:
        self.asked = 0
        self.awake = asyncio.Event()

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        """Asked once more; the answer may never come."""
        self.asked += 1
        await self.awake.wait()
        yield said(request)

    async def until(self, asked: int) -> None:
        """Waits until it was asked so often."""
        async with asyncio.timeout(30):
            while self.asked < asked:
                await asyncio.sleep(0.01)


def made(sleeper: Sleeper) -> cb.App:
    app = cb.App("costs")
    down = [Fault(ErrorKind.TIMEOUT, attempts=1_000)]
    for name, faults in (("small", []), ("shaky", down)):
        model = ScriptedModel(said, name=name, faults=faults)
        model.info = ModelInfo(name=name, upstream=name, price=PRICE)
        app.model(name, model)
    app.model("sleeper", sleeper)
    app.upstream("shaky", retry=cb.Retry(attempts=1))
    app.route("smart", "shaky", "small")
    clerk = app.agent("clerk", model="small", max_output_tokens=100)
    critic = app.agent("critic", route="smart", max_output_tokens=100)
    keeper = app.agent("keeper", model="small", cache=cb.Cache(), max_output_tokens=100)
    slow = app.agent("slow", model="sleeper", max_output_tokens=100)

    @app.flow
    async def below(ctx: cb.Context, word: str) -> str:
        return str(await critic.run(ctx, word))

    @app.flow
    async def work(ctx: cb.Context, word: str) -> str:
        if word == "own":
            return str(await ctx.random() < 2)
        await clerk.run(ctx, "first")
        match word:
            case "review":
                await critic.run(ctx, word)
            case "child":
                await ctx.spawn(below, word)
            case "keep":
                await keeper.run(ctx, word)
            case "refuse":
                await clerk.run(ctx, word)
            case "hang":
                await slow.run(ctx, word)
        return word

    return app


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    new_database: Callable[..., str] = request.getfixturevalue("new_database")
    return new_database("costs")


async def ended(handles: Sequence[Any]) -> None:
    for outcome in await asyncio.gather(*[each.result(timeout=60) for each in handles], return_exceptions=True):
        assert isinstance(outcome, str | CallboardError), outcome


async def sums(rt: Runtime) -> dict[str, Sums]:
    now = rt.services.clock.now()
    return {by: await rt.costs.sums(["default"], now - MONTH, now, by) for by in COSTS_BY}


async def test_all_sums_are_the_same_whatever_became_of_the_runs(url: str) -> None:
    chance, sleeper = random.Random(5), Sleeper()
    settings = Settings(store=url, engine=ENGINE)
    first = build(made(sleeper), settings)
    await first.open()
    words = [*WORDS, *WORDS, *(chance.choice(WORDS) for _ in range(12))]
    assert await first.run("work", "keep") == "keep"  # the answer is kept for all that come
    handles = [await first.start("work", word) for word in words]
    lost, stopped = [await first.start("work", "hang") for _ in range(2)]
    await ended(handles)
    await sleeper.until(2)
    await stopped.cancel("enough")
    await ended([stopped])
    assert first.worker is not None
    await first.worker.kill()
    if url.startswith("sqlite"):
        first.store.claims.lose(first.worker.id)  # type: ignore[attr-defined]
    sleeper.awake.set()
    async with cb.open(made(sleeper), settings=settings) as rt:
        await ended([rt.handle(lost.id)])
        refused = next(each.id for each, word in zip(handles, words, strict=True) if word == "refuse")
        await rt.commands.requeue("default", refused, "again")
        reviewed = next(each.id for each, word in zip(handles, words, strict=True) if word == "review")
        fork = await rt.commands.fork("default", reviewed, 0)
        await ended([rt.handle(refused), rt.handle(fork.id)])
        sleeper.awake.clear()
        going = await rt.start("work", "hang")
        await sleeper.until(sleeper.asked + 1)
        found = await sums(rt)
        usage = Usage()
        for run in await rt.store.runs.find("default", limit=1_000):
            usage += run.usage
        whole = found["flow"].whole
        assert (whole.usage.cost, whole.usage.tokens) == (usage.cost, usage.tokens)
        for by, each in found.items():
            assert UNBILLED not in {row.name for row in each.rows}
            assert each.whole.usage.cost == sum(row.usage.cost for row in each.rows) == usage.cost, by
            assert sum(row.usage.tokens for row in each.rows) == usage.tokens, by
            assert sum(row.wasted for row in each.rows) == whole.wasted > 0, by
            assert sum(sum(row.days.values()) for row in each.rows) == usage.cost, by
        spending = await rt.store.costs.spending("default", 0.0, rt.services.clock.now())
        per_place: dict[tuple[str, str, RunStatus], int] = {}
        for cost in spending.costs:
            place = cost.day, cost.flow, cost.status
            per_place[place] = per_place.get(place, 0) + cost.usage.cost
        for bill in spending.bills:
            per_place[bill.day, bill.flow, bill.status] -= bill.bill.usage.cost
        assert set(per_place.values()) == {0}
        agents = {row.name: row for row in found["agent"].rows}
        models = {row.name: row for row in found["model"].rows}
        kept = words.count("keep") + 1
        assert (agents["keeper"].runs, agents["keeper"].calls) == (kept, 1)
        assert agents["keeper"].by_answers == (kept - 1) * said_cost()
        reviews = words.count("review") + words.count("child") + 1
        assert 0 < models["shaky"].runs <= agents["critic"].runs == reviews  # its breaker opens
        assert models["shaky"].usage.cost > models["shaky"].calls * said_cost()  # each charged what it had reserved
        assert agents["slow"].calls == 3  # one cancelled, one lost with its worker and made once more
        assert agents["clerk"].going == 1 and agents["slow"].runs == 2
        assert agents["clerk"].by_provider == agents["clerk"].calls * (200 - said_cost())
        sleeper.awake.set()
        await ended([rt.handle(going.id)])
    await first.store.close()


def said_cost() -> int:
    return PRICE.of(Usage(100, 50, cached_tokens=40))
