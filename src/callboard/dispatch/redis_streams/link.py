"""Work against Redis that is done for as long as the bell is open, through every outage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from redis.exceptions import ResponseError

from callboard.connections.backoff import Backoff
from callboard.connections.redis import explain

_log = logging.getLogger("callboard.dispatch")


class Link:
    """One of the bell's ways to Redis: whether it works now, and the loop that mends it.

    Args:
        what: for the log.
        url: for the log, without its password.
    """

    def __init__(self, what: str, url: str) -> None:
        self._what = what
        self._url = url
        self._backoff = Backoff()
        self._complained = False
        self.works = asyncio.Event()

    def worked(self) -> None:
        """The server answered as it should."""
        self._complained = False
        self._backoff.reset()
        self.works.set()

    async def keep(self, work: Callable[[], Awaitable[None]], lost: Callable[[ResponseError | None], None]) -> None:
        """Does the work again and again. What it raises is logged, never raised: `lost` is called, with the error
        if Redis itself answered it, and after a pause the work begins anew."""
        while True:
            try:
                await work()
            except Exception as error:  # whatever it is, nobody who rings shall notice
                self.works.clear()
                level = logging.DEBUG if self._complained else logging.WARNING
                _log.log(level, "%s fails for now, trying again: %s", self._what, explain(error, self._url))
                self._complained = True
                lost(error if isinstance(error, ResponseError) else None)
                await asyncio.sleep(self._backoff.pause())
