"""Bodies of requests: not larger than allowed, and not slower."""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.apps.entrance.problems import problem

_SLOWEST = 8 * 1024  # bytes of a body in a second: who drips holds a place among those that are served
_CLOSE = {"connection": "close"}  # what is still to come of the body is not read


class _Refused(Exception):
    """Unwinds the application; nobody who reads a body has a use for it."""

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.remedy = remedy


class Intake:
    """Wraps an ASGI application.

    Args:
        app: what is inside.
        limit: bytes of a body.
        patience: seconds between two pieces of a body; and for all of it, beyond what a slow line takes.
    """

    def __init__(self, app: ASGIApp, limit: int, patience: float) -> None:
        self._app = app
        self._limit = limit
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not declared.isdigit() or int(declared) > self._limit:
            await self._answer(self._too_large(), scope, receive, send)
            return
        if declared != b"0" and scope["state"].get("whole"):  # it has come with the head, and is as long as it says
            await self._app(scope, receive, send)
            return
        seen, begun, whole = 0, False, False
        refused: _Refused | None = None
        first: float | None = None  # when the body was first waited for

        async def inwards() -> Message:
            nonlocal refused, first
            if whole:
                return await receive()  # only waits for the client to go away, however long that takes
            if scope["state"].get("whole"):  # it has come with the head: there is nothing to wait for
                return taken(await receive())
            now = asyncio.get_running_loop().time()
            if first is None:
                first = now
            try:
                async with asyncio.timeout_at(min(now, first + seen / _SLOWEST) + self._patience):
                    message = await receive()
            except TimeoutError:
                refused = _Refused("too_slow", "the body came too slowly, or not at all", "send it in one go")
                raise refused from None
            return taken(message)

        def taken(message: Message) -> Message:
            nonlocal seen, whole, refused
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if seen > self._limit:
                    refused = self._too_large()
                    raise refused
            return message

        async def outwards(message: Message) -> None:
            nonlocal begun
            if refused is not None and not begun:
                return  # somebody answers for the exception that stopped its reading: the answer is ours
            begun = True
            await send(message)

        try:
            await self._app(scope, inwards, outwards)
        except _Refused:
            if begun:
                raise
        if refused is not None and not begun:
            await self._answer(refused, scope, receive, send)

    def _too_large(self) -> _Refused:
        return _Refused(
            "too_large", f"the body is larger than {self._limit:,} bytes", "pass a reference to where it is kept"
        )

    async def _answer(self, refused: _Refused, scope: Scope, receive: Receive, send: Send) -> None:
        answer = problem(Request(scope), refused.code, refused.detail, remedy=refused.remedy, headers=_CLOSE)
        await answer(scope, receive, send)
