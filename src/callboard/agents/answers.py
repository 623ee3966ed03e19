"""Answers of models that are given again to exactly the same question, where an agent asks for that.

The same question is the same in all that is sent: messages, tools, schema and settings; it was put by the same release
of the same agent, for the same tenant. What is left out are the number of the turn and of the attempt, which are not
sent.
"""

import hashlib

import msgspec

from callboard.domain.codec import encode
from callboard.domain.errors import InputInvalid, StoreError
from callboard.domain.usage import NOTHING
from callboard.engine.context import Context
from callboard.models import FinishReason, ModelRequest, ModelResponse
from callboard.store.answers import Answers

_KEPT = frozenset({FinishReason.STOP, FinishReason.TOOL_CALLS})


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """How long an answer may be given again, in seconds."""

    age: float = 3600.0

    def __post_init__(self) -> None:
        if not 0 < self.age < 1e9:
            raise InputInvalid(f"cache: age={self.age!r} is not a number of seconds above 0", remedy="change age")


def key_of(request: ModelRequest, route: str, release: bytes) -> bytes:
    """What the question is known by: 32 bytes over all that is sent, the route and the agent's release."""
    asked = msgspec.structs.replace(request, turn=0, attempt=1, metadata=None, media={}, connect=0.0)
    media = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in request.media.items())
    canonical = msgspec.json.encode([msgspec.to_builtins(asked), route, release.hex(), media], order="deterministic")
    return hashlib.sha256(canonical).digest()


async def known(answers: Answers, ctx: Context, cache: Cache, key: bytes) -> ModelResponse | None:
    """The kept answer, as what it is now: free. A store that cannot be read knows none."""
    try:
        found = await answers.get(ctx.tenant, key, ctx.clock.now() - cache.age)
    except StoreError:
        return None
    if found is None:
        return None
    response = msgspec.json.decode(found.body, type=ModelResponse)
    return msgspec.structs.replace(response, usage=NOTHING, cached=True, saved=response.usage)


async def keep(answers: Answers, ctx: Context, key: bytes, response: ModelResponse) -> None:
    """Keeps an answer that is whole. One that is too large, or that the store cannot take now, is asked for again."""
    if response.cached or response.finish not in _KEPT:
        return
    try:
        await answers.put(ctx.tenant, key, encode(response), ctx.clock.now())
    except (StoreError, InputInvalid):
        return
