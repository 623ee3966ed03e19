"""Many runs at a time over shared tools and one agent: each gets its own answer, and nothing of another's."""

import asyncio
from typing import Any

import msgspec
import pytest

import callboard as cb
from callboard.models import ModelRequest
from callboard.settings import EngineSettings
from callboard.testing import call, runtime

ENGINE = EngineSettings(sweep=0.2, beat=0.5, lease=20.0, window=5.0, drain=5.0, concurrency=512)


def pause(name: str) -> float:
    """A short time that differs from run to run, the same each time."""
    return (sum(name.encode()) * 7919 % 5) / 2_000


def shared_app() -> cb.App:
    app = cb.App("isolation")

    @app.tool(effect="read")
    async def look_up(name: str) -> str:
        await asyncio.sleep(pause(name))
        return f"fact of {name}"

    @app.tool(effect="idempotent")
    async def keep(fact: str, *, key: cb.IdempotencyKey) -> list[str]:
        await asyncio.sleep(pause(fact))
        return [fact, key.run_id]

    def speak(request: ModelRequest) -> Any:
        """Says only what it can see in the conversation."""
        asked = next(m.text for m in request.messages if m.role == "user")
        match request.turn:
            case 0:
                return [call("look_up", name=asked), call("look_up", name=f"{asked}'s other")]
            case 1:
                results = [p for p in request.messages[-1].parts if hasattr(p, "content")]
                return call("keep", fact=" and ".join(p.content for p in results))
            case _:
                kept = next(p for p in request.messages[-1].parts if hasattr(p, "content"))
                return f"{asked}: {kept.content[0]} ({kept.content[1]})"

    agent = app.agent("agent", model=cb.ScriptedModel(speak, latency=0.0005), tools=[look_up, keep])

    @app.flow
    async def talk(ctx: cb.Context, name: str) -> list[str]:
        said, fact = await ctx.gather(agent.run(ctx, name), look_up.call(ctx, name=name))
        return [said, fact]

    @app.flow
    async def plain(ctx: cb.Context, name: str) -> list[Any]:
        facts = await ctx.gather(look_up.call(ctx, name=name), look_up.call(ctx, name=f"{name}'s other"))
        return [*facts, *await keep.call(ctx, fact=facts[0])]

    return app


def own_talk(name: str, run_id: str) -> list[str]:
    return [f"{name}: fact of {name} and fact of {name}'s other ({run_id})", f"fact of {name}"]


async def test_a_hundred_runs_of_one_agent_get_each_its_own_answer() -> None:
    async with runtime(shared_app(), settings=ENGINE) as test:
        handles = [await test.start("talk", f"guest {n}") for n in range(100)]
        results = await asyncio.gather(*[handle.result(timeout=30) for handle in handles])
        for n, (handle, result) in enumerate(zip(handles, results, strict=True)):
            assert result == own_talk(f"guest {n}", handle.id)


async def test_a_hundred_runs_get_their_own_answers_though_their_worker_dies_among_them() -> None:
    async with runtime(shared_app(), settings=ENGINE) as test:
        handles = [await test.start("talk", f"guest {n}") for n in range(100)]
        for seconds in (0.05, 0.1):
            await asyncio.sleep(seconds)
            await test.kill()
            await test.restart()
        results = await asyncio.gather(*[test.rt.handle(h.id).result(timeout=30) for h in handles])
        for n, (handle, result) in enumerate(zip(handles, results, strict=True)):
            assert result == own_talk(f"guest {n}", handle.id)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("runs", [10_000])
async def test_ten_thousand_runs_get_each_its_own_answer(runs: int) -> None:
    names = [f"guest {n}" for n in range(runs)]
    async with runtime(shared_app(), settings=msgspec.structs.replace(ENGINE, concurrency=1_024)) as test:
        flows = ["talk" if n % 3 == 0 else "plain" for n in range(runs)]
        handles = await asyncio.gather(*[test.start(flow, name) for flow, name in zip(flows, names, strict=True)])
        results = await asyncio.gather(*[handle.result(timeout=400) for handle in handles])
    for flow, name, handle, result in zip(flows, names, handles, results, strict=True):
        if flow == "talk":
            assert result == own_talk(name, handle.id)
        else:
            assert result == [f"fact of {name}", f"fact of {name}'s other", f"fact of {name}", handle.id]
