"""A model of some provider, as everything above sees it."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from callboard.domain.errors import CallboardError
from callboard.domain.kinds import ErrorKind
from callboard.models.info import ModelInfo
from callboard.models.model import ModelRequest, StreamPart
from callboard.models.providers.bridge.provider import Account, Provider
from callboard.models.reply import deltas

if TYPE_CHECKING:
    from callboard.models.providers.bridge.asking import Asking


class Adapter:
    """Serves `Model` for one model of one provider.

    The provider's library is imported and its client made on first use, in a thread, so that nobody waits for
    seconds who only wants to know what a model is called. A client belongs to the event loop that made it; asked
    from another loop, it is made anew.

    Args:
        provider: whose it is.
        account: where it is, and with which options.
        info: what is known of it; how much fits into its window is added once its library is there.
        stream: False to ask for answers in one piece; `streams` says so of the adapter.
    """

    def __init__(self, provider: Provider, account: Account, info: ModelInfo, *, stream: bool = True) -> None:
        self.name = account.reference
        self.info = info
        self._provider = provider
        self._account = account
        self.streams = stream
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: asyncio.Future[Asking] | None = None

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        """Ask the model. See `callboard.models.model.Model.stream` for what comes and what is raised."""
        if self.streams and (asking := self._opened()) is not None:
            return asking.stream(request)
        return self._first(request)

    async def close(self) -> None:
        """Let go of all connections. The next request opens new ones."""
        opening, self._opening = self._opening, None
        if opening is not None and self._loop is asyncio.get_running_loop():
            await (await opening).close()

    async def _first(self, request: ModelRequest) -> AsyncIterator[StreamPart]:
        asking = await self._ready()
        if not self.streams:
            answer = await asking.whole(request)
            for delta in deltas(answer.message, 0):
                yield delta
            yield answer
            return
        stream = asking.stream(request)
        try:
            async for part in stream:
                yield part
        finally:
            await stream.aclose()  # type: ignore[attr-defined]

    def _opened(self) -> "Asking | None":
        done = self._opening
        if done is None or self._loop is not asyncio.get_running_loop() or not done.done():
            return None
        return None if done.cancelled() or done.exception() is not None else done.result()

    async def _ready(self) -> "Asking":
        loop = asyncio.get_running_loop()
        if (asking := self._opened()) is not None:
            return asking
        if self._opening is None or self._loop is not loop or self._opening.done():
            self._loop = loop
            self._opening = asyncio.ensure_future(asyncio.to_thread(self._open))
        # Shielded: who is cancelled while it opens must not leave the next one without it.
        return await asyncio.shield(self._opening)

    def _open(self) -> "Asking":
        from callboard.models.providers.bridge.asking import Asking
        from callboard.models.providers.bridge.failures import unsent

        try:
            opened = self._provider.open(self._account)
        except CallboardError:
            raise
        except Exception as error:
            kind = self._provider.sort(error) or ErrorKind.INVALID_REQUEST
            raise unsent(error, self.name, kind, self._account.api_key) from None
        if self.info.context is None:
            self.info = msgspec.structs.replace(self.info, context=opened.model.profile.get("context_window"))
        mark = self._account.reference.partition(":")[0]
        if self._provider.many:
            mark = f"{mark}/{self.info.upstream}"
        return Asking(self._provider, self._account, self.info, mark, opened)
