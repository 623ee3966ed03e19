"""One flow that runs any program, and the tools and steps that its effects are made of."""

from typing import Any, NamedTuple

import callboard as cb
from tests.properties.programs import NEVER, Program

app = cb.App("programs")


class Call(NamedTuple):
    """Something that a program did to the world. `life` counts the workers."""

    effect: str
    life: int
    key: str | None


class World:
    """What was done, in order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.life = 0

    def did(self, effect: str, key: str | None = None) -> int:
        """Takes a call down; returns how often it was made by now."""
        self.calls.append(Call(effect, self.life, key))
        return sum(call.effect == effect for call in self.calls)


WORLD = World()


async def step(n: int) -> list[Any]:
    """Works."""
    WORLD.did(f"step_{n}")
    return ["step", n]


async def fail(n: int) -> None:
    """Does not work."""
    WORLD.did(f"fail_{n}")
    raise RuntimeError("as ordered")


async def stumble(n: int, times: int) -> list[Any]:
    """Works after it has failed so many times."""
    if WORLD.did(f"stumble_{n}") <= times:
        raise RuntimeError("not yet")
    return ["stumble", n]


@app.tool(effect="idempotent")
async def touch(n: int, *, key: cb.IdempotencyKey) -> list[Any]:
    """Counts once for each key."""
    WORLD.did(f"touch_{n}", key)
    return ["touch", n]


def happened(key: str) -> cb.Applied | cb.NotApplied:
    """Whether a `once` call happened."""
    name = next((call.effect for call in WORLD.calls if call.key == key), None)
    return cb.NotApplied() if name is None else cb.Applied(["once", int(name.removeprefix("once_"))])


@app.tool(effect="once", reconcile=happened)
async def once(n: int, *, key: cb.IdempotencyKey) -> list[Any]:
    """Must not happen twice."""
    WORLD.did(f"once_{n}", key)
    return ["once", n]


@app.flow
async def interpret(ctx: cb.Context, program: Program) -> Any:
    """Runs a program."""
    return await _run(ctx, program)


async def _run(ctx: cb.Context, program: Program) -> Any:
    match program:
        case ["step", n]:
            return await ctx.step(step, n, name=f"step_{n}")
        case ["touch", n]:
            return await touch.call(ctx, n=n)
        case ["once", n]:
            return await once.call(ctx, n=n)
        case ["stumble", n, times]:
            return await ctx.step(stumble, n, times, name=f"stumble_{n}", retry=cb.Retry(attempts=9, first=5.0))
        case ["fail", n]:
            return await _failing(ctx, n)
        case ["label", n]:
            return await ctx.label(**{f"label_{n}": "set"})
        case ["sleep", seconds]:
            return await ctx.sleep(seconds)
        case _:
            return await _wait(ctx, program)


async def _wait(ctx: cb.Context, program: Program) -> Any:
    match program:
        case ["wait", n]:
            return await ctx.wait(f"signal_{n}")
        case ["never"]:
            return await ctx.gather(ctx.sleep(NEVER), ctx.wait("never"))
        case ["lapse", seconds]:
            return await _code_of(ctx.wait("never", timeout=seconds))
        case ["late", seconds]:
            return await _code_of(ctx.timeout(seconds, ctx.gather(ctx.sleep(NEVER), ctx.wait("never"))))
        case _:
            return await _combine(ctx, program)


async def _combine(ctx: cb.Context, program: Program) -> Any:
    match program:
        case ["seq", parts]:
            return [await _run(ctx, part) for part in parts]
        case ["gather", parts]:
            return await ctx.gather(*[_run(ctx, part) for part in parts])
        case ["race", _, parts]:
            return list(await ctx.race(*[_run(ctx, part) for part in parts]))
        case ["within", inner]:
            return await ctx.timeout(NEVER, _run(ctx, inner))
        case ["scope", inner]:
            with ctx.scope("inner"):
                return await _run(ctx, inner)
        case ["spawn", n, "await", inner]:
            return await ctx.spawn(interpret, inner, labels={"spawned": str(n)})
        case ["spawn", n, _, inner]:
            child = await ctx.spawn(interpret, inner, mode="attached", labels={"spawned": str(n)})
            return await child.result()
    raise AssertionError(program)


async def _failing(ctx: cb.Context, n: int) -> Any:
    try:
        await ctx.step(fail, n, name=f"fail_{n}")
    except cb.StepFailed:
        return ["failed", n]


async def _code_of(work: Any) -> str:
    try:
        await work
    except cb.TimedOut as late:
        return late.code
    return "in time"
