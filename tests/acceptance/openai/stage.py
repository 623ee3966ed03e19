"""Agents and flows that are models to the official client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import callboard as cb
from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Role, Text, ToolCall, assistant
from callboard.models import FinishReason, ModelRequest, ModelResponse, StreamPart, TextDelta

STORY = " ".join(f"word{number}" for number in range(60))


class Slow:
    """A model that takes its time for each word."""

    name = "slow"

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        for at in range(0, len(STORY), 5):
            yield TextDelta(STORY[at : at + 5])
            await asyncio.sleep(0.02)
        yield ModelResponse(assistant(STORY))


def stage() -> cb.App:
    """An app with agents that remember, tell, look things up and fail."""
    app = cb.App("stage")

    def remember(request: ModelRequest) -> str:
        return " | ".join(f"{each.role}:{each.text}" for each in request.messages)

    def clerk(request: ModelRequest) -> Any:
        if request.turn == 0:
            order = {"order_id": "A1"}
            return [Text("Let me look."), ToolCall("", "order", order), ToolCall("", "missing", {"order_id": "A2"})]
        return f"It comes tomorrow. {STORY}"

    def refusing(request: ModelRequest) -> ModelResponse:
        message = Message(Role.ASSISTANT, (Text("I must not."),))
        return ModelResponse(message, finish=FinishReason.REFUSAL)

    def down(request: ModelRequest) -> str:
        raise ModelFailed("the provider is out of order", kind=ErrorKind.INVALID_REQUEST)

    @app.tool(effect="read")
    async def order(order_id: str) -> dict[str, str]:
        await asyncio.sleep(0.3)
        return {"id": order_id, "state": "sent"}

    @app.tool(effect="read", retry=cb.Retry(attempts=1))
    async def missing(order_id: str) -> str:
        raise ValueError("there is none")

    app.agent("echo", model=cb.ScriptedModel(remember), prompt="Echo.")
    app.agent("teller", model=cb.ScriptedModel(lambda _: STORY, chunk=5, latency=0.005), prompt="Tell.")
    app.agent("clerk", model=cb.ScriptedModel(clerk, chunk=5), tools=[order, missing], prompt="Help.")

    def patient(request: ModelRequest) -> Any:
        return (
            f"At last. {STORY * 200}" if request.turn == 6 else ToolCall("", "order", {"order_id": f"A{request.turn}"})
        )

    app.agent("patient", model=cb.ScriptedModel(patient), tools=[order])
    app.agent("slow_teller", model=Slow(), prompt="Tell.")
    app.agent("prude", model=cb.ScriptedModel(refusing))
    app.agent("broken", model=cb.ScriptedModel(down))
    app.agent("short", model=cb.ScriptedModel(clerk), tools=[order, missing], limits=cb.Limits(turns=1))

    @app.flow
    async def gate(ctx: cb.Context, said: str) -> str:
        return str(await ctx.wait("go", timeout=60))

    @app.flow
    async def total(ctx: cb.Context, prices: list[int]) -> dict[str, int]:
        return {"total": sum(prices)}

    return app
