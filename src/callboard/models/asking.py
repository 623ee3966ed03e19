"""One attempt at one model: through its upstream's gate, within its time limits, its price on the answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from callboard.domain.errors import BreakerOpen, Failure, InputInvalid, ModelFailed, NotFound, RateLimited, TryLater
from callboard.domain.kinds import ErrorKind
from callboard.domain.usage import NOTHING, Usage
from callboard.models.faulty import struck
from callboard.models.info import ModelInfo, Price
from callboard.models.model import Delta, FinishReason, Model, ModelRequest, ModelResponse, RetryLater, drain
from callboard.models.route import Candidate
from callboard.resilience.gate import Gate, Pass

_ENDED = frozenset({FinishReason.STOP, FinishReason.TOOL_CALLS})
# A provider that answers so has not let the model speak, and wants no money for it.
_FREE = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.OVERLOADED,
        ErrorKind.QUOTA,
        ErrorKind.AUTHENTICATION,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.CONTEXT_TOO_LONG,
        ErrorKind.LIMIT,
        ErrorKind.INPUT,
    }
)


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate, with all that it takes to ask it."""

    candidate: Candidate
    model: Model
    info: ModelInfo
    gate: Gate


class Prices(Protocol):
    """Knows what models cost."""

    def of(self, info: ModelInfo, tokens: int | None = None) -> Price | None:
        """The price of a call with so many input tokens; None when nobody knows it."""
        ...


async def ask(
    option: Option,
    request: ModelRequest,
    *,
    tokens: int,
    timeout: float,
    prices: Prices,
    watch: Callable[[Delta], None],
    key: str | None = None,
    began: Callable[[float], None] | None = None,
    probing: Callable[[str], None] | None = None,
) -> ModelResponse:
    """Asks a model once.

    Args:
        option: whom to ask.
        request: what to ask.
        tokens: how many the call may take, on the safe side.
        timeout: seconds for the whole answer; the upstream's own limit holds beside it.
        prices: for what the answer cost, where the model does not say so itself.
        watch: gets each delta; it must not block.
        key: by which the call's journal is found.
        began: told after how many seconds the answer began, if it was streamed.
        probing: told whose breaker is half open, when this call is the one that is let through to see.

    Raises ModelFailed, with `detail["model"]` for the candidate; `detail["made"]` is False when nobody was asked, with
    `retry_after` (seconds) or `ready` (epoch seconds) where that is known, `by` and `upstream` where a gate refused it;
    `detail["streamed"]` is True when deltas had come.
    """
    seen = _Seen(watch)
    try:
        async with option.gate.enter(tokens, target=option.candidate.model) as entered:
            if entered.probe and probing is not None:
                probing(option.gate.upstream.name)
            answer = _priced(await _answer(option, request, timeout, seen, entered, key), option.info, prices)
            entered.settle(answer.usage.tokens)
            if began is not None and seen.any:
                began(seen.took)
            _whole(answer, option.info)
    except Exception as error:
        failure = failed(error)
        failure.detail["model"] = option.candidate.model
        if isinstance(error, BreakerOpen | RateLimited):
            failure.detail["by"] = "breaker" if isinstance(error, BreakerOpen) else "limit"
            failure.detail["upstream"] = option.gate.upstream.name
        if seen.any:
            failure.detail["streamed"] = True
        if failure is error:
            raise
        raise failure from error
    return answer


def cost_of_failure(failure: Failure, reserved: Usage) -> Usage:
    """What a failed attempt is charged: what it said that it used, else all that it had reserved, unless the provider
    surely wants nothing for it."""
    detail = failure.detail
    if "usage" in detail:
        return msgspec.convert(detail["usage"], Usage)
    if detail.get("made") is False or detail.get("sent") is False:
        return NOTHING
    if detail.get("streamed"):
        return reserved
    if failure.kind in _FREE or (failure.kind is ErrorKind.UPSTREAM_DOWN and "status" in detail):
        return NOTHING
    return reserved


def failed(error: Exception) -> Failure:
    """An exception out of a model call as a failure with a kind."""
    match error:
        case Failure():
            return error
        case RetryLater():
            detail = {"made": False, "ready": error.at}
            return ModelFailed(str(error), kind=ErrorKind.RATE_LIMITED, detail=detail)
        case RateLimited():
            return _unmade(error, ErrorKind.RATE_LIMITED, error.retry_after)
        case TryLater():
            return _unmade(error, ErrorKind.UPSTREAM_DOWN, error.retry_after)
        case InputInvalid() | NotFound():  # an unknown model, a lost blob, more than a limit ever allows
            return _unmade(error, ErrorKind.INVALID_REQUEST, None)
        case TimeoutError():
            return ModelFailed(str(error) or "the model did not answer in time", kind=ErrorKind.TIMEOUT)
        case ConnectionRefusedError():
            return ModelFailed(
                f"the model cannot be reached: {error}", kind=ErrorKind.UPSTREAM_DOWN, detail={"sent": False}
            )
        case OSError():
            return ModelFailed(f"the model cannot be reached: {error}", kind=ErrorKind.UPSTREAM_DOWN)
        case _:
            kind = type(error).__name__
            return ModelFailed(f"{kind}: {error}", kind=ErrorKind.BUG, detail={"type": kind})


class _Seen:
    """Passes deltas on, and knows when the first one came."""

    __slots__ = ("any", "begun", "took", "watch")

    def __init__(self, watch: Callable[[Delta], None]) -> None:
        self.watch = watch
        self.any = False
        self.begun = self.took = 0.0

    def __call__(self, delta: Delta) -> None:
        if not self.any:
            self.any = True
            self.took = asyncio.get_running_loop().time() - self.begun
        self.watch(delta)


async def _answer(
    option: Option, request: ModelRequest, timeout: float, seen: _Seen, entered: Pass, key: str | None
) -> ModelResponse:
    policy = option.gate.upstream
    total = min(policy.total, timeout)
    first = min(policy.first, total) if getattr(option.model, "streams", True) else total
    loop = asyncio.get_running_loop()
    begun = seen.begun = loop.time()
    timer = asyncio.timeout(None)

    def first_is_due() -> None:
        # Most answers have begun by then: setting the time limit once is cheaper than moving it at the first delta.
        timer.reschedule(begun + total if seen.any else begun)

    due = loop.call_at(begun + first, first_is_due)
    try:
        async with timer:
            model = option.model if entered.fault is None else struck(option.model, entered.fault, key)
            answer = await drain(model.stream(request), option.info.name, seen)
    except TimeoutError as error:
        if not timer.expired():
            raise
        what = f"did not end its answer in {total:g} s" if seen.any else f"said nothing for {first:g} s"
        raise ModelFailed(f"{option.info.name} {what}", kind=ErrorKind.TIMEOUT) from error
    finally:
        due.cancel()
    if seen.any:
        entered.first(seen.took)
    return answer


def _priced(answer: ModelResponse, info: ModelInfo, prices: Prices) -> ModelResponse:
    """With its cost, unless the model named that itself, the price behind it, and whose model it was."""
    usage, price = answer.usage, answer.price
    if not usage.cost:
        price = prices.of(info, tokens=usage.input_tokens)
        if price is not None and (cost := price.of(usage)):
            usage = msgspec.structs.replace(usage, cost=cost)
        else:
            price = None
    provider = answer.provider or info.provider
    model = answer.model or info.name
    if usage is answer.usage and price is answer.price and provider == answer.provider and model == answer.model:
        return answer
    return msgspec.structs.replace(answer, usage=usage, price=price, provider=provider, model=model)


def _whole(answer: ModelResponse, info: ModelInfo) -> None:
    """Raises ModelFailed for an answer with nothing in it, and for one that says of itself that it went wrong."""
    if answer.finish is FinishReason.ERROR:
        kind, what = ErrorKind.UPSTREAM_DOWN, "ended with an error"
    elif answer.finish in _ENDED and not answer.message.tool_calls and not answer.message.text.strip():
        kind, what = ErrorKind.INCOMPLETE, "gave an answer with nothing in it"
    else:
        return
    raise ModelFailed(f"{info.name} {what}", kind=kind, detail={"usage": msgspec.to_builtins(answer.usage)})


def _unmade(error: Exception, kind: ErrorKind, retry_after: float | None) -> ModelFailed:
    detail: dict[str, Any] = {"made": False}
    if retry_after is not None:
        detail["retry_after"] = retry_after
    return ModelFailed(str(error), kind=kind, detail=detail)
