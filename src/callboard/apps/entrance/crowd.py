"""How many requests one process has in hand at a time. Some are worked on, more wait for their turn, and what comes
beyond is sent away at once: so those that are let in are answered soon, however many there are outside."""

import asyncio
from collections import deque

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.apps.entrance.problems import problem

_AT_ONCE = 256  # worked on: enough for the store to commit them together, few enough for the loop to come round soon
_PATIENCE = 0.5  # seconds in which it must be one's turn
_BACK = "1"  # seconds after which it may be tried again
_LET_IN = frozenset({"/livez", "/readyz", "/metrics"})  # who restarts and who watches must be answered now above all


class Crowd:
    """Wraps an ASGI application.

    What stays open for long is not counted: a stream from when it begins to answer, a wait for a result from when it
    calls `state["aside"]`, and who waits for the rest of a body: slow clients keep nobody out.

    Args:
        app: what is inside.
        most: requests in hand.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._inside = 0
        self._turns = 0  # how many are taken
        self._line: deque[tuple[asyncio.Future[bool], float]] = deque()  # since when each waits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, or refuses it."""
        if scope["type"] != "http" or scope["path"] in _LET_IN:
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most:
            await _refused(scope, receive, send, f"this process has {self._most:,} requests in hand")
            return
        state = scope["state"]
        self._inside += 1
        counted, turn = True, False

        def aside() -> None:
            nonlocal counted
            if counted:
                counted = False
                self._inside -= 1
                if turn:
                    self._next()

        async def inwards() -> Message:
            if not counted or state.get("whole"):
                return await receive()
            self._inside -= 1
            try:
                return await receive()
            finally:
                self._inside += 1  # for `aside` to take away, if it has not yet

        async def outwards(message: Message) -> None:
            if message["type"] == "http.response.start":
                aside()
            await send(message)

        state["aside"] = aside
        try:
            if state.get("whole"):
                turn = await self._turn()
                if not turn:
                    await _refused(scope, receive, outwards, f"it was not its turn for {_PATIENCE:g} s")
                    return
            await self._app(scope, inwards, outwards)
        finally:
            aside()

    async def _turn(self) -> bool:
        """Waits for one's turn; `_next` gives it back. False for who has waited too long."""
        if self._turns < _AT_ONCE:
            self._turns += 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line.append((turn, loop.time()))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self._next()
            raise

    def _next(self) -> None:
        latest = asyncio.get_running_loop().time() - _PATIENCE if self._line else 0.0
        while self._line:
            turn, since = self._line.popleft()
            if not turn.done():
                turn.set_result(since >= latest)
                if since >= latest:
                    return
        self._turns -= 1


async def _refused(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    remedy = "come back later; add gateways, if this lasts"
    answer = problem(Request(scope), "overloaded", why, remedy=remedy, headers={"Retry-After": _BACK})
    await answer(scope, receive, send)
