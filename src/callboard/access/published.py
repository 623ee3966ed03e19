"""What somebody else publishes and changes now and then: fetched when it is needed, and kept for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from callboard.domain.errors import TryLater

T = TypeVar("T")

_FRESH = 3_600.0  # seconds after which it is fetched again
_STALE = 86_400.0  # and after which it is no longer taken, if it cannot be had
_AGAIN = 10.0  # seconds between two fetches, whatever is asked for


class Published(Generic[T]):
    """One such thing.

    Args:
        what: its name in an error.
        fetch: gets it; raises OSError, ValueError, TimeoutError or TryLater where it cannot be had.
        clock: monotonic seconds.
    """

    def __init__(self, what: str, fetch: Callable[[], Awaitable[T]], clock: Callable[[], float]) -> None:
        self._what = what
        self._fetch = fetch
        self._clock = clock
        self._found: T | None = None
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._why = ""
        self._turn = asyncio.Lock()

    async def get(self, fits: Callable[[T], bool] = lambda _: True) -> T:
        """It, fetched again where the one that is known does not fit: whether the new one does is not said.

        Raises TryLater when it cannot be had and none is known that is younger than a day.
        """
        # While somebody asks for a new one, the others go on with the one that they have.
        if not self._good(fits, _FRESH) and not (self._turn.locked() and self._good(fits, _STALE)):
            async with self._turn:
                if not self._good(fits, _FRESH) and self._clock() - self._tried >= _AGAIN:
                    await self._refresh()
        if self._found is None or self._clock() - self._fetched > _STALE:
            raise TryLater(f"{self._what} cannot be had", why=self._why, retry_after=_AGAIN)
        return self._found

    def _good(self, fits: Callable[[T], bool], age: float) -> bool:
        return self._found is not None and self._clock() - self._fetched <= age and fits(self._found)

    async def _refresh(self) -> None:
        try:
            self._found = await self._fetch()
            self._fetched, self._why = self._clock(), ""
        except (OSError, ValueError, TimeoutError, TryLater) as error:
            self._why = str(error) or type(error).__name__
        finally:  # from its end: those who waited for it must not each wait as long again
            self._tried = self._clock()
