"""A model that says what a script says: for tests, demos and measurements. No key, no network.

    model = ScriptedModel([call("order", order_id="A1"), "Your order is on its way."])
    model = ScriptedModel(lambda request: f"You said: {request.messages[-1].text}")
    model = ScriptedModel(["done"], faults=[Fault(ErrorKind.RATE_LIMITED, attempts=2, retry_after=1.0)])

The answer depends on the request alone, and so a run that is resumed gets the same one.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from callboard.domain.errors import InputInvalid, ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.models.info import ModelInfo, Price
from callboard.models.model import ModelRequest, ModelResponse, StreamPart
from callboard.models.reply import Reply, deltas, response

Script: TypeAlias = Sequence[Reply] | Callable[[ModelRequest], Reply | Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure to order.

    Attributes:
        kind: the kind of the ModelFailed, or "cut": the stream just ends, without an answer.
        turn: the turn that fails (`ModelRequest.turn`, from 0); None for every turn.
        attempts: how many attempts of the call fail, from the first on.
        after_chunks: how many deltas get through before; all of them when there are fewer.
        retry_after: seconds that the provider asks to wait, in `detail["retry_after"]`.
        delay: seconds between the last delta and the failure; a long one is a provider that hangs.
    """

    kind: ErrorKind | Literal["cut"]
    turn: int | None = None
    attempts: int = 1
    after_chunks: int = 0
    retry_after: float | None = None
    delay: float = 0.0

    def strikes(self, request: ModelRequest) -> bool:
        """True when this call is one that fails."""
        return request.attempt <= self.attempts and self.turn in (None, request.turn)

    def failure(self, model: str, request: ModelRequest) -> ModelFailed:
        """What the call raises. Not for a cut."""
        where = f"turn {request.turn}, attempt {request.attempt}"
        detail = None if self.retry_after is None else {"retry_after": self.retry_after}
        return ModelFailed(
            f"{model} failed as ordered ({self.kind}, {where})", kind=ErrorKind(self.kind), detail=detail
        )


class ScriptedModel:
    """A model that follows a script.

    Args:
        script: the replies, one a turn, or a function (async or not) from the request to the reply. A reply
            is a text, a `call(...)`, a list of parts, a Message, or a ModelResponse with its own usage.
        name: what records call it.
        latency: seconds before the first delta.
        chunk: characters in a delta of text; 0 sends each text whole.
        per_chunk: seconds before each further delta.
        price: micro-dollars for a million tokens, input and output.
        faults: failures to order; the first that fits a call strikes.
        sleep: how it waits, for tests with a clock of their own.

    Usage is counted from lengths: a token is four bytes, and input is only what is new since the model last
    spoke, so that turn 1,000 takes no longer than turn 1. Calls get the ids `call_TURN_POSITION`.

    Raises InputInvalid for a script that is a single text, or a negative time or chunk.
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        latency: float = 0.0,
        chunk: int = 0,
        per_chunk: float = 0.0,
        price: tuple[int, int] = (0, 0),
        faults: Sequence[Fault] = (),
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if isinstance(script, str):
            raise InputInvalid("a script is a list of replies or a function", remedy="write [text]")
        if min(latency, chunk, per_chunk) < 0:
            raise InputInvalid("latency, chunk and per_chunk cannot be negative")
        self.name = name
        self._script = script
        self._latency = latency
        self._chunk = chunk
        self._per_chunk = per_chunk
        self._price = price
        self.info = ModelInfo(name=name, upstream=name, price=Price(*price, source="script"))
        self._faults = tuple(faults)
        self._sleep = sleep

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        """Stream the reply to this request.

        Raises ModelFailed as its faults order, and of kind INPUT past the end of the script.
        """
        fault = next((f for f in self._faults if f.strikes(request)), None)
        answer = await self._answer(request)
        await self._wait(self._latency)
        for sent, delta in enumerate(deltas(answer.message, self._chunk)):
            if fault is not None and sent >= fault.after_chunks:
                break
            if sent:
                await self._wait(self._per_chunk)
            yield delta
        if fault is None:
            yield answer
            return
        await self._wait(fault.delay)
        if fault.kind != "cut":
            raise fault.failure(self.name, request)

    async def _answer(self, request: ModelRequest) -> ModelResponse:
        if callable(self._script):
            reply = self._script(request)
            if inspect.isawaitable(reply):
                reply = await reply
        elif request.turn < len(self._script):
            reply = self._script[request.turn]
        else:
            raise ModelFailed(
                f"the script of {self.name} has no reply for turn {request.turn}",
                why=f"it has {len(self._script)}, the first is turn 0",
                kind=ErrorKind.INPUT,
            )
        return response(reply, request, self.name, self._price)

    async def _wait(self, seconds: float) -> None:
        if seconds:
            await self._sleep(seconds)
