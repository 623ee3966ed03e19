"""What the routes of these doors have in common: ids, keys, streams, waiting."""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Header, Request

from callboard.apps.entrance import Entrance
from callboard.apps.gateway.answering import Responses
from callboard.apps.gateway.door import Door
from callboard.apps.gateway.openai.refusals import Refusal
from callboard.apps.gateway.outlet import Outlet
from callboard.apps.gateway.sending import EventStream
from callboard.apps.gateway.starting import Key
from callboard.domain.errors import NotFound
from callboard.domain.ids import is_id
from callboard.domain.run import Outcome
from callboard.runtime import Action, Desk, RunHandle

PATIENCE = 600.0  # seconds that a request waits for an answer: as long as the official client does by default

IdempotencyKey = Annotated[
    Key | None, Header(alias="Idempotency-Key", description="The same key with the same body is the same run.")
]


class WordStream(EventStream):
    """A stream that says in OpenAI's form why it ends before its end."""

    opening = b": here\n\n"  # the official client takes a line that only says when to come back for broken JSON

    def _word(self, name: str, code: str, said: str) -> bytes:
        return b"data: " + json.dumps(Refusal(503, code, said).body()).encode() + b"\n\n"


def stream(request: Request, desk: Desk, run_id: str, produce: Callable[[Outlet], Awaitable[object]]) -> WordStream:
    """The answer that sends what `produce` puts into its outlet."""
    entrance: Entrance = request.app.state.entrance
    door: Door = request.app.state.door

    async def recheck() -> None:
        try:
            await (await entrance.again(request, desk)).runs.get(run_id)
        except NotFound:
            return  # its run waits for another to end

    return WordStream(door, produce, recheck)


async def may_start(request: Request, desk: Desk, model: str) -> None:
    """Counts a start against what the tenant may start. Who asks waits for the answer, and so must be allowed to read
    what it starts. Raises Denied, RateLimited."""
    desk.check(Action.RUNS_START, model)
    desk.check(Action.RUNS_READ, model)
    entrance: Entrance = request.app.state.entrance
    await entrance.starts(request, desk, 1)


async def wait(request: Request, handle: RunHandle) -> Outcome | None:
    """How the run ended; None when it takes longer than clients wait. Raises Refusal when this process ends."""
    door: Door = request.app.state.door

    async def ended() -> tuple[Outcome | None]:
        try:
            return (await handle.outcome(PATIENCE),)
        except TimeoutError:
            return (None,)

    found = await door.patiently(request, ended())
    if found is None:
        refusal = Refusal(503, "try_later", f"this process ends; run {handle.id} goes on", final=True)
        refusal.headers["Retry-After"] = "1"
        raise refusal
    return found[0]


def gives_json(what: str, *, streamed: bool = False) -> Responses:
    """What a route answers when all is well, for its description: OpenAI's own says more of it."""
    pieces: dict[str, Any] = {"text/event-stream": {}} if streamed else {}
    return {200: {"description": what, "content": {"application/json": {"schema": {"type": "object"}}} | pieces}}


def id_of(text: Any, prefix: str, what: str) -> str:
    """The id within a public one. Raises Refusal."""
    if isinstance(text, str) and text.startswith(prefix) and 0 < len(text) - len(prefix) <= 200:
        found = text.removeprefix(prefix)
        if prefix != "resp_" or is_id(found):
            return found
    raise Refusal(404, f"{what}_not_found", f"there is no {what} {str(text)[:100]!r}")
