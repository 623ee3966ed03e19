"""The flows whose journals are kept. Do not change one: journals of every version must replay through it. Add another.

Each function that does something says so in EXECUTED; a replay must leave it empty.
"""

from dataclasses import dataclass
from typing import Any

import callboard as cb
from callboard.models import ModelRequest, Reply, call

EXECUTED: list[str] = []
app = cb.App("kept")


def _did(name: str) -> int:
    EXECUTED.append(name)
    return EXECUTED.count(name)


async def add(a: int, b: int) -> int:
    """A step."""
    _did("add")
    return a + b


def shout(text: str) -> str:
    """A step that is not async."""
    _did("shout")
    return text.upper()


async def stumble() -> str:
    """Raises once."""
    if _did("stumble") < 2:
        raise OSError("not yet")
    return "stood up"


async def break_down() -> None:
    """Always raises."""
    _did("break_down")
    raise ValueError("as ordered")


@app.tool(effect="read")
async def look(item: str) -> dict[str, Any]:
    """Looks something up."""
    _did("look")
    return {"item": item, "stock": 3}


@app.tool(effect="idempotent")
async def charge(order: str, cents: int, *, key: cb.IdempotencyKey) -> str:
    """Charges an order; busy at first."""
    if _did("charge") < 2:
        raise cb.UpstreamDown("busy", retry_after=2.0)
    return f"{order}: {cents}"


@app.tool(effect="idempotent")
async def refuse(order: str) -> str:
    """Is refused."""
    _did("refuse")
    raise cb.UpstreamRejected("no such order")


def guess(city: str) -> str:
    """What stands in for `weather`."""
    _did("guess")
    return f"fine in {city}"


@app.tool(effect="read", retry=cb.Retry(attempts=2, first=1.0), fallback=guess)
async def weather(city: str) -> str:
    """Is down."""
    _did("weather")
    raise cb.UpstreamDown("no answer")


async def it_was_sent(key: str) -> cb.Applied:
    """Knows that the parcel went out."""
    _did("it_was_sent")
    return cb.Applied("sent")


@app.tool(effect="once")
async def publish(text: str) -> str:
    """Works."""
    _did("publish")
    return text


@app.tool(effect="once", reconcile=it_was_sent)
async def send(parcel: str) -> str:
    """Sends, and does not say so."""
    _did("send")
    raise cb.UpstreamDown("cut off")


@app.tool(effect="once")
async def whisper(text: str) -> str:
    """Says something of which nobody can tell whether it was heard."""
    _did("whisper")
    raise cb.UpstreamDown("cut off")


@app.flow
async def values(ctx: cb.Context, input: dict[str, Any]) -> dict[str, Any]:
    """Steps, values, a label, a patch, a scope."""
    ctx.progress("begins")
    found: dict[str, Any] = {"patched": await ctx.patched("second edition")}
    await ctx.label(customer=input["customer"])
    found["chance"] = [await ctx.now(), await ctx.random(), await ctx.uuid()]
    found["sum"] = await ctx.step(add, 1, 2)
    with ctx.scope("inner"):
        found["shout"] = await ctx.step(shout, input["customer"])
    found["stumble"] = await ctx.step(stumble, retry=cb.Retry(attempts=3, first=1.0))
    found["broken"] = await _failure_of(ctx.step(break_down))
    await ctx.sleep(60)
    return found


@app.flow
async def parallel(ctx: cb.Context, _: None) -> list[Any]:
    """Gather, race and time limits, one within the other."""

    async def branch(n: int) -> int:
        await ctx.sleep(n)
        return await ctx.step(add, n, n)

    return [
        await ctx.gather(branch(1), branch(2), ctx.race(branch(3), ctx.wait("never"))),
        await _failure_of(ctx.gather(branch(4), ctx.step(break_down))),
        await ctx.race(ctx.wait("never"), branch(5), ctx.timeout(500, branch(50))),
        await ctx.timeout(100, branch(6)),
        await _failure_of(ctx.timeout(7, ctx.gather(branch(70), ctx.wait("never")))),
    ]


@app.flow
async def letters(ctx: cb.Context, _: None) -> list[Any]:
    """Signals and people."""
    return [
        await ctx.wait("go"),
        await ctx.wait("go", timeout=1_000),
        await _failure_of(ctx.wait("never", timeout=5)),
        [d.status for d in [await ctx.ask({"answer": a}, timeout=1_000) for a in ("approve", "edit", "reject")]],
        (await ctx.ask({"answer": None}, timeout=5)).status,
        (await ctx.ask({"answer": None}, timeout=5, otherwise="approve")).value,
        await _failure_of(ctx.ask({"answer": None}, timeout=5, otherwise="fail")),
    ]


@app.flow
async def tools(ctx: cb.Context, _: None) -> list[Any]:
    """Tools of each class, in each way they may end."""
    return [
        await look.call(ctx, item="hat"),
        await charge.call(ctx, order="A1", cents=500),
        await _failure_of(refuse.call(ctx, order="A2")),
        await weather.call(ctx, city="Rome"),
        await publish.call(ctx, text="news"),
        await send.call(ctx, parcel="A1"),
        await whisper.call(ctx, text="psst"),
    ]


@app.flow
async def family(ctx: cb.Context, _: None) -> list[Any]:
    """Children of each kind."""
    apart = await ctx.spawn(child, 1, mode="attached")
    await ctx.spawn(child, 2, mode="detached")
    waited = await ctx.gather(ctx.spawn(child, 3), ctx.spawn(child, 4, labels={"n": "4"}))
    return [waited, await _failure_of(ctx.spawn(failing, None)), await apart.result()]


@app.flow
async def child(ctx: cb.Context, n: int) -> int:
    """Works."""
    await ctx.sleep(n)
    return await ctx.step(add, n, 100)


@app.flow
async def failing(ctx: cb.Context, _: None) -> None:
    """Fails."""
    await ctx.step(break_down)


@app.flow
async def cancelled(ctx: cb.Context, _: None) -> None:
    """Is cancelled while it waits, and cleans up."""
    try:
        await ctx.gather(ctx.wait("cancel me"), ctx.timeout(10_000, ctx.ask({"answer": None})))
    except cb.Cancelled:
        await ctx.step(shout, "cleaned up")
        raise


@dataclass
class Verdict:
    """What the agent must answer."""

    good: bool


_REPLIES: list[Reply] = [
    [call("look", item="hat"), call("look", item="coat"), call("publish", text="soon"), call("invent")],
    call("look", item=5),
    "certainly!",
    '{"good": true}',
]


def _reply(request: ModelRequest) -> Reply:
    _did("model")
    return _REPLIES[request.turn]


clerk = app.agent(
    "clerk", model=cb.ScriptedModel(_reply, price=(3_000_000, 9_000_000)), prompt="Be fair.",
    tools=[look, publish], output=Verdict,
)  # fmt: skip

tired = app.agent(
    "tired", model=cb.ScriptedModel(_reply), tools=[look, publish], output=Verdict, limits=cb.Limits(turns=1)
)


@app.flow
async def nothing(ctx: cb.Context, _: Any) -> None:
    """Asks for none of what any journal has."""


@app.flow
async def something(ctx: cb.Context, _: Any) -> int:
    """Asks first for what no journal has first."""
    return await ctx.step(add, 47, 11)


async def _failure_of(work: Any) -> str:
    try:
        await work
    except cb.CallboardError as failure:
        return f"{failure.code} {failure.kind}"
    return "no failure"
