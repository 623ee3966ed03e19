"""Live deltas and progress on their way to a reader. Never the truth: the journal has that."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import msgspec


class Chunk(msgspec.Struct, frozen=True):
    """One live piece: tagged with the claim's epoch, the effect's path and a running number, so that a reader
    can tell a repeat after a crash from what it has seen. `kind` is `progress` or `delta`."""

    run_id: str
    epoch: int
    path: str
    number: int
    kind: str
    value: Any


class Stream(Protocol):
    """Publishes and follows chunks by run."""

    def publish(self, chunk: Chunk) -> None:
        """Hands a chunk to whoever follows the run now. Never waits; slow readers lose the oldest."""
        ...

    def follow(self, run_id: str) -> AsyncIterator[Chunk]:
        """Chunks of a run from now on, until the reader stops."""
        ...
