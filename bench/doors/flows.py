"""The app that the measured gateway serves."""

import asyncio
from typing import Any

import callboard as cb

app = cb.App("doors")


@app.flow
async def echo(ctx: cb.Context, value: Any) -> Any:
    return value


async def tick(number: int) -> int:
    await asyncio.sleep(1.0)
    return number


@app.flow
async def ticking(ctx: cb.Context, seconds: int) -> int:
    """An event each second."""
    for number in range(seconds):
        await ctx.step(tick, number)
    return seconds
