"""What the stories of this folder are played on: the retail example, and a few flows that are slow, fail or are hostile
when a story needs that."""

import asyncio
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from callboard import Context, IdempotencyKey, ScriptedModel, Settings, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.models import ModelRequest, Reply, call
from examples.retail import app
from tests.browser.lines import CLOSED, CLOSED_SAID, MARK, SAID


class Place:
    """Where this process finds the carrier's sign."""

    folder: Path


@app.on_open
def open_stage(settings: Settings) -> None:
    """The sign lies beside the store."""
    Place.folder = Path(settings.folder)


app.model("scripted-slow", ScriptedModel([SAID], chunk=4, per_chunk=0.1, price=(1_000_000, 4_000_000)))
teller = app.agent("teller", model="scripted-slow", prompt="You tell customers where their parcel is.")

# Without a breaker, so that no story finds it open after another.
app.upstream("carrier", retry={"attempts": 3, "first": 0.02}, breaker=None, otherwise="fail")
app.upstream("bank", retry={"attempts": 1}, breaker={"failures": 2}, otherwise="fail")


class Parcel(BaseModel):
    """What is sent."""

    model_config = ConfigDict(extra="forbid")
    address: str
    grams: int = 500


@app.tool(effect="idempotent", upstream="carrier")
async def book_pickup(address: str, grams: int, key: IdempotencyKey) -> str:
    """Orders that a parcel is fetched."""
    if await asyncio.to_thread((Place.folder / CLOSED).exists):
        raise ToolFailed(CLOSED_SAID, kind=ErrorKind.UPSTREAM_DOWN)
    return f"fetched tomorrow: {grams} g to {address}"


@app.flow
async def send_parcel(ctx: Context, parcel: Parcel) -> str:
    """Has a parcel fetched, and waits until it is there."""
    await book_pickup.call(ctx, address=parcel.address, grams=parcel.grams)
    signed = await ctx.wait("delivered", type=str)
    return f"delivered, signed by {signed}"


@app.tool(effect="read", upstream="bank")
async def read_balance(account: str) -> str:
    """Asks the bank, which never answers."""
    raise ToolFailed(f"the bank does not answer: {MARK}", kind=ErrorKind.UPSTREAM_DOWN)


@app.flow
async def settle(ctx: Context, account: str) -> str:
    """Fails with the bank."""
    return str(await read_balance.call(ctx, account=account))


@app.tool(effect="read")
async def read_review(key: IdempotencyKey) -> str:
    """Reads what a customer wrote."""
    return MARK


def _moderate(request: ModelRequest) -> Reply:
    return call("read_review") if request.turn == 0 else f"It says {MARK}"


app.model("scripted-moderator", ScriptedModel(_moderate, price=(1_000_000, 4_000_000)))
moderator = app.agent("moderator", model="scripted-moderator", prompt=f"You read reviews. {MARK}", tools=(read_review,))


@app.flow
async def moderate(ctx: Context, review: str) -> str:
    """Asks a person about a review that holds a script, and fails with it."""
    said = await moderator.run(ctx, review)
    await ctx.ask({MARK: MARK, "said": said})
    raise ValueError(MARK)
