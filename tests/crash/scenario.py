"""What is killed at every commit: one flow with every kind of effect, and three with one thing each."""

from dataclasses import dataclass
from typing import Any

import callboard as cb
from callboard.models import ModelRequest, Reply, call
from tests.crash import shop
from tests.crash.shop import LEDGER, app

LONG = 3_600.0  # seconds that no scenario lasts
SOON = 0.02

# What the people at the door send to whoever waits for a signal of that name, one value for each wait.
SIGNALS: dict[str, list[Any]] = {"go": [1, 2], "maybe": ["yes"]}
EARLY = ("early", "before anybody waits")


@dataclass
class Verdict:
    """What the agent must answer."""

    good: bool
    because: str


def _script(name: str, replies: list[Reply]) -> cb.ScriptedModel:
    def reply(request: ModelRequest) -> Reply:
        LEDGER.model(name, request.turn)
        return replies[request.turn]

    return cb.ScriptedModel(reply, name=name, price=(3_000_000, 15_000_000))


clerk = app.agent(
    "clerk",
    model=_script(
        "clerk",
        [
            [
                call("look", item="hat"), call("look", item="coat"), call("charge", order="C1"),
                call("ship", parcel="C1"), call("invent"),
            ],
            "certainly!",
            '{"good": true, "because": "all was sent"}',
        ],
    ),
    tools=[shop.look, shop.charge, shop.ship],
    output=Verdict,
)  # fmt: skip

cashier = app.agent(
    "cashier",
    model=_script("cashier", [[call("charge", order=f"T{n}") for n in range(3)], "three charged"]),
    tools=[shop.charge],
)


@app.flow
async def everything(ctx: cb.Context, order: str) -> dict[str, Any]:
    """Every kind of effect, one act after the other."""
    ctx.progress("begins")
    seen: dict[str, Any] = {"patched": await ctx.patched("second edition")}
    await ctx.label(order=order)
    seen["dice"] = [await ctx.now(), await ctx.random(), await ctx.uuid()]
    await ctx.step(shop.note, seen["dice"])
    seen["steps"] = await _steps(ctx)
    seen["parallel"] = await _parallel(ctx)
    seen["limits"] = await _limits(ctx)
    seen["letters"] = await _letters(ctx)
    seen["people"] = await _people(ctx)
    seen["tools"] = await _tools(ctx)
    seen["children"] = await _children(ctx)
    verdict = await clerk.run(ctx, "judge", context=[order])
    seen["verdict"] = [verdict.good, verdict.because]
    ctx.progress("ends")
    return seen


@app.flow
async def announcements(ctx: cb.Context, _: None) -> list[Any]:
    """`once` calls that nobody can look up, alone and between steps; only a person can settle them."""
    first = await shop.publish.call(ctx, text="first")
    between = await ctx.step(shop.double, 100)
    second, third = await ctx.gather(shop.publish.call(ctx, text="second"), shop.publish.call(ctx, text="third"))
    return [first, between, second, third]


@app.flow
async def family(ctx: cb.Context, name: str) -> list[Any]:
    """Children of each kind, one of them with a child of its own, one that fails, one that outstays its parent."""
    await ctx.spawn(stay, f"{name}/stay", mode="attached")
    apart = await ctx.spawn(errand, f"{name}/apart", mode="attached")
    waited = await ctx.gather(ctx.spawn(errand, f"{name}/1"), ctx.spawn(parent, f"{name}/2"), ctx.sleep(SOON))
    failed = await _kind_of(ctx.spawn(failing, f"{name}/failing"))
    await ctx.spawn(errand, f"{name}/gone", mode="detached")
    return [waited, failed, await apart.result()]


@app.flow
async def till(ctx: cb.Context, order: str) -> str:
    """An agent whose one turn charges three times."""
    said: str = await cashier.run(ctx, order)
    return said


@app.flow
async def errand(ctx: cb.Context, name: str) -> str:
    """A child that does something."""
    await ctx.sleep(0.01)
    return await shop.charge.call(ctx, order=name)


@app.flow
async def parent(ctx: cb.Context, name: str) -> list[str]:
    """A child with children."""
    return await ctx.gather(ctx.spawn(errand, f"{name}/a"), ctx.spawn(errand, f"{name}/b"))


@app.flow
async def failing(ctx: cb.Context, name: str) -> str:
    """A child that fails after it has done something."""
    await shop.charge.call(ctx, order=name)
    await shop.overdraw.call(ctx, account=name)
    return "never"


@app.flow
async def stay(ctx: cb.Context, name: str) -> None:
    """A child that never ends by itself."""
    await ctx.wait("never")


async def _steps(ctx: cb.Context) -> list[Any]:
    return [
        await ctx.step(shop.double, 1),
        await ctx.step(shop.treble, 1),
        await ctx.step(shop.stumble, 1, retry=cb.Retry(attempts=3, first=0.01)),
        await _kind_of(ctx.step(shop.break_down, 1)),
    ]


async def _parallel(ctx: cb.Context) -> list[Any]:
    async def branch(number: int) -> int:
        twice: int = await ctx.step(shop.double, number)
        await ctx.sleep(0.01)
        with ctx.scope("inner"):
            return await ctx.step(shop.treble, twice)

    gathered = await ctx.gather(branch(10), ctx.step(shop.double, 11), shop.look.call(ctx, item="shoe"), branch(12))
    won = await ctx.race(ctx.sleep(LONG), branch(20), ctx.wait("never"))
    nested = await ctx.gather(ctx.race(branch(30), ctx.wait("never")), _kind_of(ctx.step(shop.break_down, 31)))
    return [gathered, won, nested]


async def _limits(ctx: cb.Context) -> list[Any]:
    async def branch() -> int:
        await ctx.sleep(0.01)
        return await ctx.step(shop.double, 40)

    await ctx.sleep(0.01)
    lost = await _kind_of(ctx.timeout(SOON, ctx.sleep(LONG)))
    swift = await ctx.timeout(LONG, branch())
    return [lost, swift, await _kind_of(ctx.timeout(SOON, ctx.gather(ctx.wait("never"), ctx.sleep(LONG))))]


async def _letters(ctx: cb.Context) -> list[Any]:
    return [
        await ctx.wait("go", type=int),
        await ctx.wait("go"),  # a letter that was answered must not answer again
        await ctx.wait("maybe", timeout=LONG),
        await _kind_of(ctx.wait("never", timeout=SOON)),
        await ctx.wait(EARLY[0]),
    ]


async def _people(ctx: cb.Context) -> list[Any]:
    asked = [await ctx.ask({"answer": answer}, timeout=LONG) for answer in ("approve", "edit", "reject")]
    late = await ctx.ask({"answer": None}, timeout=SOON)
    granted = await ctx.ask({"answer": None}, timeout=SOON, otherwise="approve")
    failed = await _kind_of(ctx.ask({"answer": None}, timeout=SOON, otherwise="fail"))
    await ctx.race(ctx.step(shop.double, 50), ctx.ask({"answer": None}))
    return [*([d.status, d.value, d.by] for d in (*asked, late, granted)), failed]


async def _tools(ctx: cb.Context) -> list[Any]:
    return [
        await shop.look.call(ctx, item="glove"),
        await shop.charge.call(ctx, order="A1"),
        await shop.reserve.call(ctx, item="glove"),
        await shop.phone.call(ctx, person="Mia"),
        await shop.ship.call(ctx, parcel="A1"),
        await shop.ship_slowly.call(ctx, parcel="A2"),
        await _kind_of(shop.overdraw.call(ctx, account="A")),
        await _kind_of(shop.bribe.call(ctx, official="Jo")),
        await shop.weather.call(ctx, city="Rome"),
    ]


async def _children(ctx: cb.Context) -> list[Any]:
    await ctx.spawn(errand, "detached", mode="detached")
    attached = await ctx.spawn(errand, "attached", mode="attached", labels={"of": "everything"})
    return [await ctx.spawn(errand, "awaited"), await attached.result()]


async def _kind_of(work: Any) -> str:
    """The kind of the failure that the work ends with."""
    try:
        await work
    except cb.CallboardError as failure:
        return f"{failure.code} {failure.kind}"
    return "no failure"
