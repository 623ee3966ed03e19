"""A model that goes wrong as ordered, with the failures that a provider's adapter gives."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from callboard.domain.errors import ModelFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.message import Message, Role, Text, ToolCall
from callboard.models.model import FinishReason, Model, ModelRequest, ModelResponse, StreamPart
from callboard.resilience.faults import Fault, FaultKind

_SAID: dict[FaultKind, tuple[ErrorKind, str, dict[str, Any]]] = {
    FaultKind.RATE_LIMITED: (ErrorKind.RATE_LIMITED, "too many requests", {"status": 429, "sent": False}),
    FaultKind.ERROR: (ErrorKind.UPSTREAM_DOWN, "internal server error", {"status": 500, "sent": True}),
    FaultKind.UNAVAILABLE: (ErrorKind.OVERLOADED, "service unavailable", {"status": 503, "sent": True}),
    FaultKind.REFUSED: (ErrorKind.UPSTREAM_DOWN, "connection refused", {"sent": False}),
    FaultKind.MALFORMED: (ErrorKind.MALFORMED_OUTPUT, "a page of HTML where JSON was due", {"sent": True}),
    FaultKind.CUT: (ErrorKind.MALFORMED_OUTPUT, "the stream ended without the mark of its end", {"sent": True}),
    FaultKind.TIMEOUT: (ErrorKind.TIMEOUT, "no answer in time", {"sent": True}),
}
_NOT_OURS = frozenset({FaultKind.DUPLICATE})  # nobody can see that a provider got a request twice


def struck(model: Model, fault: Fault | None, key: str | None = None) -> Model:
    """The model, going wrong as ordered in the one call that is made of it; itself when nothing is ordered.

    `key` is that of the call, by which its journal is found.
    """
    if fault is None or fault.kind in _NOT_OURS:
        return model
    fault.hits(model.name, key)
    return _Struck(model, fault)


class _Struck:
    """A model whose next stream goes wrong."""

    def __init__(self, model: Model, fault: Fault) -> None:
        self._model = model
        self._fault = fault
        self.name = model.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)  # what else it knows of itself, such as `info`

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamPart, None]:
        """Streams, as far as the fault lets it. See callboard.models.model.Model."""
        fault = self._fault
        match fault.kind:
            case FaultKind.SLOW:
                async with aclosing(_pieces(self._model, request)) as pieces:
                    async for part in pieces:
                        await fault.lag()
                        yield part
            case FaultKind.SCHEMA | FaultKind.EMPTY:
                async with aclosing(_pieces(self._model, request)) as pieces:
                    async for part in pieces:
                        if isinstance(part, ModelResponse):
                            yield _empty(part) if fault.kind is FaultKind.EMPTY else _misfit(part)
            case _:
                # A cut is one only if something has come through.
                async with aclosing(
                    _first(self._model, request, max(fault.after, fault.kind is FaultKind.CUT))
                ) as some:
                    async for part in some:
                        yield part
                await self._fail()

    async def _fail(self) -> None:
        fault = self._fault
        if fault.kind is FaultKind.KILL:
            await fault.kill()
        if fault.kind is FaultKind.TIMEOUT:
            with suppress(TimeoutError):
                await fault.hang()
        kind, why, facts = _SAID[fault.kind]
        if fault.after or fault.kind is FaultKind.CUT:
            facts = {**facts, "sent": True}
        if fault.retry_after is not None and fault.kind in (FaultKind.RATE_LIMITED, FaultKind.UNAVAILABLE):
            facts = {**facts, "retry_after": fault.retry_after}
        raise ModelFailed(
            f"{self.name} failed ({kind})", why=f"{why} (fault {fault.number})", kind=kind, detail=dict(facts)
        )


async def _first(model: Model, request: ModelRequest, pieces: int) -> AsyncGenerator[StreamPart, None]:
    """That many deltas, and never the answer."""
    if pieces == 0:
        return
    async with aclosing(_pieces(model, request)) as stream:
        async for part in stream:
            if isinstance(part, ModelResponse):
                return
            yield part
            pieces -= 1
            if pieces == 0:
                return


async def _pieces(model: Model, request: ModelRequest) -> AsyncGenerator[StreamPart, None]:
    stream = model.stream(request)
    try:
        async for part in stream:
            yield part
    finally:
        if (close := getattr(stream, "aclose", None)) is not None:
            await close()


def _empty(answer: ModelResponse) -> ModelResponse:
    """The answer with nothing in it, paid for all the same."""
    return _with(answer, ())


def _misfit(answer: ModelResponse) -> ModelResponse:
    """The answer in a form that nobody asked for: calls with arguments of no schema, a text that is another JSON."""
    parts = [
        ToolCall(part.id, part.name, {"unexpected": True})
        if isinstance(part, ToolCall)
        else Text('{"unexpected": true}')
        for part in answer.message.parts
    ]
    return _with(answer, tuple(parts))


def _with(answer: ModelResponse, parts: tuple[Any, ...]) -> ModelResponse:
    finish = FinishReason.TOOL_CALLS if any(isinstance(part, ToolCall) for part in parts) else FinishReason.STOP
    return ModelResponse(
        Message(Role.ASSISTANT, parts), answer.usage, finish, answer.model, answer.id, answer.provider, answer.price
    )
