"""An app whose runs cross processes: a flow on one worker asks an agent, calls a tool and spawns a run on another."""

import callboard as cb
from callboard.models import ModelRequest, Reply, call

app = cb.App("troupe")


@app.tool(effect="read")
async def header(of: str) -> str:
    """What a tool would send to a service that it calls."""
    return str(cb.traceparent())


@app.tool(effect="idempotent")
async def flaky(mail: str) -> str:
    """Fails once for each customer, as services do."""
    raise cb.UpstreamDown("the mail server is away")


def script(request: ModelRequest) -> Reply:
    plan = [call("header", of="agent"), call("nonsense", why="invented")]
    return plan[request.turn] if request.turn < len(plan) else "done"


helper = app.agent("helper", model=cb.ScriptedModel(script, price=(1_000_000, 4_000_000)), prompt="Be brief.",
                   tools=[header])  # fmt: skip


@app.flow(needs="right")
async def inner(ctx: cb.Context, wish: str) -> str:
    await ctx.sleep(0.01)
    return await header.call(ctx, of=wish)


@app.flow(needs="left")
async def outer(ctx: cb.Context, wish: str) -> dict[str, str]:
    said = await helper.run(ctx, wish)
    below = await ctx.spawn(inner, wish)
    again = await ctx.attempt(flaky.call(ctx, mail="mia@example.com"))
    await ctx.step(note, str(again.ok))
    return {"said": said, "inner": below, "own": await header.call(ctx, of="outer")}


async def note(text: str) -> str:
    return f"noted {text} at {cb.traceparent()}"


@app.flow
async def broken(ctx: cb.Context, card: str) -> None:
    raise RuntimeError(f"card {card} was refused")
