"""Whatever models, processes and people do: rows, journals and accounts tell of the same money, and nothing is held."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import callboard as cb
from callboard.domain.errors import Conflict, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import assistant
from callboard.domain.retry import Retry
from callboard.domain.run import RunStatus
from callboard.domain.usage import Usage
from callboard.models import FinishReason, ModelInfo, ModelRequest, ModelResponse, Price
from callboard.models.model import StreamPart, TextDelta
from callboard.testing import TestRuntime, WindingClock, runtime
from tests.acceptance.hardships import books

_SHM = Path("/dev/shm")
Program = list[Any]

FATES = [
    "ok", "ok", "ok", "dear", "overloaded", "rate_limited", "upstream_down", "timeout", "quota", "invalid_request",
    "malformed_output", "content_filtered", "cut", "empty", "hang", "hang_late", "long", "refused",
]  # fmt: skip


_COSTLY = {"timeout", "malformed_output", "upstream_down", "content_filtered", "cut", "hang", "hang_late"}
_ALL = 1_000_000
_MOVING = {RunStatus.READY, RunStatus.RUNNING}
_ANSWERS = {
    "empty": ModelResponse(assistant(""), Usage(5, 1)),
    "dear": ModelResponse(assistant("so much"), Usage(30, _ALL)),
    "long": ModelResponse(assistant("so much and m"), Usage(30, _ALL), FinishReason.LENGTH),
    "refused": ModelResponse(assistant("no"), Usage(9, 2), FinishReason.REFUSAL),
}


class World:
    """What each call of a model comes to, in the order of the calls; all is well when the list is at its end."""

    def __init__(self, fates: list[str]) -> None:
        self.fates = list(fates)
        self.free = asyncio.Event()
        self.calls = 0
        self.bill = 0  # what providers would want for it at least, micro-dollars

    def next(self) -> str:
        self.calls += 1
        return self.fates.pop(0) if self.fates and not self.free.is_set() else "ok"


class Fickle:
    """A model whose calls meet their fates."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.info = ModelInfo(name=name, upstream=name, price=Price(1_000_000, 3_000_000, source="test"))
        self._world = world

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        fate = self._world.next()
        most = request.max_output_tokens or 0
        if fate in _COSTLY:
            self._world.bill += 10 + 3 * most
        if fate == "hang":
            await self._world.free.wait()
            self._world.bill -= 10 + 3 * most
        if fate in tuple(ErrorKind):
            raise ModelFailed(fate, kind=ErrorKind(fate))
        yield TextDelta("some")
        if fate == "hang_late":
            await self._world.free.wait()
            self._world.bill -= 10 + 3 * most
        if fate == "cut":
            return
        answer = _ANSWERS.get(fate, ModelResponse(assistant("some more"), Usage(10, 5)))
        if answer.usage.output_tokens == _ALL:
            answer = msgspec.structs.replace(answer, usage=Usage(30, most))
        self._world.bill += self.info.price.of(answer.usage) if self.info.price else 0
        yield answer


def app_of(world: World, usd: str, calls: int) -> cb.App:
    app = cb.App("books")
    app.budget("tenant", usd=usd)
    app.budget("run", calls=calls)
    app.budget("session", usd="0.010000")
    for name in ("a", "b"):
        app.model(name, Fickle(name, world))
        app.upstream(name, retry=Retry(attempts=2, first=1.0), breaker=None, retry_share=1.0)
    app.route("both", "a", "b")
    agents = [
        app.agent("routed", route="both", max_output_tokens=100),
        app.agent("lone", model="a", max_output_tokens=100),
        app.agent("kept", route="both", max_output_tokens=100, cache=cb.Cache(age=1e6)),
        app.agent("poor", model="b", limits=cb.Limits(usd="0.000600")),
    ]

    @app.flow
    async def play(ctx: cb.Context, program: Program) -> Any:
        return await perform(ctx, program)

    async def perform(ctx: cb.Context, program: Program) -> Any:
        try:
            match program:
                case ["ask", n]:
                    return await agents[n].run(ctx, "why?")
                case ["all", *rest]:
                    return await ctx.gather(*(perform(ctx, each) for each in rest))
                case ["race", *rest]:
                    return await ctx.race(*(perform(ctx, each) for each in rest))
                case ["seq", *rest]:
                    return [await perform(ctx, each) for each in rest]
                case ["within", seconds, rest]:
                    return await ctx.timeout(seconds, perform(ctx, rest))
                case ["child", rest]:
                    return await ctx.spawn(play, rest)
                case ["saga", rest]:
                    async with ctx.saga():
                        return await perform(ctx, rest)
                case ["sleep", seconds]:
                    return await ctx.sleep(seconds)
        except cb.CallboardError as error:
            return type(error).__name__

    return app


_LEAF = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 3)).map(list),
    st.tuples(st.just("ask"), st.integers(0, 3)).map(list),
    st.tuples(st.just("ask"), st.integers(0, 3)).map(list),
    st.tuples(st.just("sleep"), st.integers(1, 100)).map(list),
)
PROGRAMS = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda each: ["all", *each]),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: ["race", *each]),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: ["seq", *each]),
        st.tuples(st.just("within"), st.integers(1, 20), inner).map(list),
        st.tuples(st.just("child"), inner).map(list),
        st.tuples(st.just("saga"), inner).map(list),
    ),
    max_leaves=8,
)
ACTIONS = st.lists(st.sampled_from(["kill", "wind", "rest", "wind", "drop", "kill", "cancel"]), max_size=5)


def play(program: Program, fates: list[str], actions: list[str], usd: str, calls: int, file: bool) -> int:
    """Plays it to its end; how many calls were made."""

    async def main() -> int:
        world = World(fates)
        app = app_of(world, usd, calls)
        with tempfile.TemporaryDirectory(dir=_SHM if _SHM.is_dir() else None) as folder:
            path = Path(folder, "x.db") if file else None
            async with runtime(app, path, clock=WindingClock()) as test:
                handle = await test.start("play", program, labels={"session": "s"})
                for action in actions:
                    handle = await act(test, handle, action)
                world.free.set()
                await end(test)
                error = (await test.rt.store.runs.get("default", handle.id)).error
                assert error is None or error.kind != "bug", error
                runs = [run.id for run in await test.rt.store.runs.find("default", limit=100)]
                found = await books.check(test, runs)
                assert found.cost >= world.bill, (found, world.bill)
        return world.calls

    return asyncio.run(main())


async def act(test: TestRuntime, handle: cb.RunHandle, action: str) -> cb.RunHandle:
    await asyncio.sleep(0.01)
    match action:
        case "kill":
            return await books.kill_and_go_on(test, handle)
        case "drop":  # dies in the next moment
            await asyncio.sleep(0)
            return await books.kill_and_go_on(test, handle)
        case "wind":
            due = await test.next_due()
            if due is not None:
                test.clock.set(max(due, test.clock.now()))
        case "cancel":
            with contextlib.suppress(Conflict):
                await handle.cancel("enough")
    await asyncio.sleep(0.005)
    return handle


async def end(test: TestRuntime) -> None:
    for _ in range(60):
        await test.settle(5)
        runs = await test.rt.store.runs.find("default", limit=100)
        if all(run.status.ended for run in runs):
            return
        due = await test.next_due()
        if due is None and any(run.status in _MOVING for run in runs):  # a new worker has not looked yet
            await asyncio.sleep(0.05)
            continue
        assert due is not None, [(run.flow, run.status, run.error) for run in runs]
        test.clock.set(max(due, test.clock.now()))
    raise AssertionError([(run.flow, run.status) for run in runs])


stable = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)


@settings(stable, max_examples=100)
@given(
    st.lists(PROGRAMS, min_size=2, max_size=4).map(lambda each: ["seq", *each]),
    st.lists(st.sampled_from(FATES), min_size=4, max_size=16),
    ACTIONS,
    st.sampled_from(["5.00", "5.00", "0.003000", "0.000900"]),
    st.sampled_from([3, 100]),
    st.booleans(),
)
def test_all_books_say_the_same(
    program: Program, fates: list[str], actions: list[str], usd: str, calls: int, file: bool
) -> None:
    play(program, fates, actions, usd, calls, file)
