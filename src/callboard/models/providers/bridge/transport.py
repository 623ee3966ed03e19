"""An HTTP client that remembers how each answer ended, so that a cut one is not taken for whole."""

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

import httpx2

_KEPT = 160  # bytes of the end: more than the longest last event that has no content in it
_ENDING = "callboard.ending"


class Client(httpx2.AsyncClient):
    """Sends what it is told, once, with no time limit but that for connecting.

    It asks for plain bytes, since the end of a compressed answer says nothing. How many connections there are
    at a time is limited elsewhere.
    """

    def __init__(self, connect: float) -> None:
        super().__init__(
            timeout=patience(connect),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0),
            headers={"accept-encoding": "identity"},
            follow_redirects=True,
        )

    async def send(self, request: httpx2.Request, **said: Any) -> httpx2.Response:
        """Send the request; the answer's last bytes are kept while it is read."""
        response = await super().send(request, **said)
        if not response.is_closed and isinstance(response.stream, httpx2.AsyncByteStream):
            plain = response.headers.get("content-encoding", "identity") == "identity"
            response.stream = ending = _Ending(response.stream, plain)
            response.extensions[_ENDING] = ending
        return response


@lru_cache(maxsize=64)
def patience(connect: float) -> httpx2.Timeout:
    """A limit for connecting alone: how long an answer may take is the caller's to say."""
    return httpx2.Timeout(None, connect=connect)


def ended_with(response: httpx2.Response, marker: bytes) -> bool:
    """Whether the marker is among the last bytes that came. True for a compressed answer: nobody can see."""
    ending = response.extensions.get(_ENDING)
    return isinstance(ending, _Ending) and (not ending.plain or marker in ending.last)


class _Ending(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, plain: bool) -> None:
        self._stream = stream
        self.plain = plain
        self.last = b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self.last = piece[-_KEPT:] if len(piece) >= _KEPT else (self.last + piece)[-_KEPT:]
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
