"""How many requests one process has in hand at a time. Some are worked on, more wait for their turn, and what comes
beyond is sent away at once."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.apps.entrance.problems import problem
from callboard.apps.entrance.turns import LET_IN, Turns

BACK = "1"  # seconds after which it may be tried again
REMEDY = "come back later; add gateways, if this lasts"


class Crowd:
    """Wraps an ASGI application.

    What stays open for long is not counted: a stream from when it begins to answer, a wait for a result from when it
    calls `state["aside"]`, and who waits for the rest of a body: slow clients keep nobody out.

    Args:
        app: what is inside.
        turns: who is let in.
    """

    def __init__(self, app: ASGIApp, turns: Turns) -> None:
        self._app = app
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or refuses it."""
        if scope["type"] != "http" or scope["path"] in LET_IN:
            await self._app(scope, receive, send)
            return
        turns, state = self._turns, scope["state"]
        if (why := turns.refusal()) is not None:
            await _refused(scope, receive, send, why)
            return
        whole = state.get("whole", False)
        turns.inside += 1
        counted, turn = True, False

        def aside() -> None:
            nonlocal counted
            if counted:
                counted = False
                turns.inside -= 1
                if turn:
                    turns.give()

        async def inwards() -> Message:
            if not counted or state.get("whole"):
                return await receive()
            turns.inside -= 1
            try:
                return await receive()
            finally:
                turns.inside += 1  # for `aside` to take away, if it has not yet

        async def outwards(message: Message) -> None:
            if message["type"] == "http.response.start":
                aside()
            await send(message)

        state["aside"] = aside
        try:
            if whole:
                why = await turns.take()
                turn = why is None
                if why is not None:
                    await _refused(scope, receive, outwards, why)
                    return
            await self._app(scope, receive if whole else inwards, outwards)
        finally:
            aside()


async def _refused(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    answer = problem(Request(scope), "overloaded", why, remedy=REMEDY, headers={"Retry-After": BACK})
    await answer(scope, receive, send)
