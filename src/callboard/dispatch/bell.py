"""Hints that something happened. They may be lost or doubled: whoever hears one looks into the store."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Protocol

import msgspec


class News(StrEnum):
    """What a hint is about: a run that can be claimed, a letter in an inbox, a run that has ended, new chunks of
    a run's stream."""

    READY = "r"
    INBOX = "i"
    ENDED = "e"
    STREAM = "s"


class Hint(msgspec.Struct, frozen=True):
    """One hint. The claim's SQL picks the run; `run_id` only says who might care.

    `priority` is the run's, for READY: a bell may let hints for higher ones pass. Those who hear a hint from
    another process may find 0 there.
    """

    news: News
    run_id: str
    priority: int = 0


LOOK = Hint(News.READY, "")  # what a bell tells its own process when hints may have been missed: look, whatever it is

Listener = Callable[[list[Hint]], None]


class Bell(Protocol):
    """Rings for all listeners, in this process and where the adapter reaches.

    INBOX, ENDED and STREAM reach every process. Of READY at least one process with a worker hears, if there is
    one that is not busy. A bell that cannot reach others goes on within its process, connects again by itself,
    and then tells its listeners to LOOK.
    """

    @property
    def healthy(self) -> bool:
        """False while other processes cannot be reached."""
        ...

    def ring(self, hints: Iterable[Hint]) -> None:
        """Tells every listener soon. Never waits, never fails."""
        ...

    def listen(self, listener: Listener) -> None:
        """Calls the listener on the event loop with each batch of hints."""
        ...

    def mark(self) -> int:
        """How much has been heard so far. A worker asks before it claims."""
        ...

    def answered(self, mark: int) -> None:
        """A claim was made after that mark, so that nobody else has to answer the READY hints before it.

        A worker that is full does not say so: what it heard goes to others after a while. Never waits.
        """
        ...

    async def open(self) -> None:
        """Begins to listen. Waits a little for servers, and goes on without them."""
        ...

    async def close(self) -> None:
        """Ends it."""
        ...
