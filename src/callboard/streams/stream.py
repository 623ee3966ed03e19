"""Live deltas and progress on their way to a reader. Never the truth: the journal has that."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import msgspec

from callboard.domain.errors import InputInvalid

Position = tuple[int, int]  # epoch and number of a chunk: where a reader stands

GAP = "gap"
START = "0-0"  # before every chunk


class Chunk(msgspec.Struct, frozen=True):
    """One live piece: tagged with the claim's epoch, the effect's path and a running number, so that a reader
    can tell a repeat after a crash from what it has seen.

    Attributes:
        epoch: which claim of the run it comes from; when it rises, the turn restarts.
        number: counts the chunks of a run in an epoch from 1 on, without a break.
        kind: `progress` or `delta`; `gap` for chunks that this reader has lost.
        value: as it was published for a reader in the same process, its JSON for others. For a gap
            `{"lost": how many}`, of those whose number is known.
        tenant: whose run it is.
    """

    run_id: str
    epoch: int
    path: str
    number: int
    kind: str
    value: Any
    tenant: str = ""

    @property
    def id(self) -> str:
        """The chunk's place in its run: a reader that hands it in as `after` goes on behind it."""
        return f"{self.epoch}-{self.number}"


class Stream(Protocol):
    """Publishes and follows chunks by run."""

    @property
    def healthy(self) -> bool:
        """False while other processes cannot be reached."""
        ...

    def publish(self, chunk: Chunk) -> None:
        """Hands a chunk to whoever follows the run. Never waits, never fails; if there are too many, the oldest
        are lost."""
        ...

    def follow(self, tenant: str, run_id: str, after: str | None = None) -> AsyncIterator[Chunk]:
        """Chunks of a tenant's run, until the reader stops.

        Args:
            tenant: whose run it is; of another's run nothing is heard.
            run_id: the run.
            after: a chunk's id, from any process: its successors as far as they are kept, then those to come.
                `START`: all that are kept. None: from now on.

        A slow reader loses the oldest, and is told by a chunk of the kind `gap`.

        Raises:
            InputInvalid: `after` is no chunk's id.
        """
        ...

    async def open(self) -> None:
        """Begins to work. Waits a little for servers, and goes on without them."""
        ...

    async def close(self) -> None:
        """Hands over what was published, unless it takes long, and ends."""
        ...


def position(after: str) -> Position:
    """Where a reader stands who has seen the chunk of that id. Raises InputInvalid."""
    epoch, dash, number = after.partition("-")
    if not (dash and epoch.isdecimal() and number.isdecimal() and len(after) <= 40):
        raise InputInvalid(f"after={after!r} is no chunk's id", remedy="hand in the id of a chunk as it was given")
    return int(epoch), int(number)
