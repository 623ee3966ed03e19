"""A bell whose hints are doubled or lost on order: whoever hears one has to look into the store all the same."""

from collections.abc import Callable, Iterable

from callboard.dispatch.bell import Bell, Hint, Listener


class TroubledBell:
    """See callboard.dispatch.bell.Bell.

    Args:
        bell: what really rings.
        copies: how often the next hint is delivered: 1 as it should be, 2 doubled, 0 lost.
    """

    def __init__(self, bell: Bell, copies: Callable[[], int]) -> None:
        self._bell = bell
        self._copies = copies

    @property
    def healthy(self) -> bool:
        """As the bell says."""
        return self._bell.healthy

    def ring(self, hints: Iterable[Hint]) -> None:
        """Rings for each hint as often as ordered."""
        self._bell.ring([hint for each in hints for hint in [each] * self._copies()])

    def listen(self, listener: Listener) -> None:
        """As the bell does."""
        self._bell.listen(listener)

    def mark(self) -> int:
        """As the bell does."""
        return self._bell.mark()

    def answered(self, mark: int) -> None:
        """As the bell does."""
        self._bell.answered(mark)

    async def open(self) -> None:
        """As the bell does."""
        await self._bell.open()

    async def close(self) -> None:
        """As the bell does."""
        await self._bell.close()
