"""The inbox: messages to a run from outside, until the run consumes them."""

from collections.abc import Awaitable
from typing import Protocol

from callboard.domain.run import RunStatus
from callboard.store.claims import Claim
from callboard.store.letter import Letter


class Inbox(Protocol):
    """Sends and reads letters."""

    def send(self, tenant: str, run_id: str, name: str, body: bytes, at: float) -> Awaitable[RunStatus]:
        """Puts a letter into the run's inbox, raises its counter, and makes a waiting run ready, all at once.

        Returns the run's status after that. Raises NotFound; Conflict when the run has ended. A blocked run
        keeps the letter until it is requeued.
        """
        ...

    async def read(self, claim: Claim, after: int) -> tuple[int, list[Letter]]:
        """The inbox counter, and the letters above `after` in order. For the run's owner."""
        ...
