"""Hints that something happened. They may be lost or doubled: whoever hears one looks into the store."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Protocol

import msgspec


class News(StrEnum):
    """What a hint is about: a run that can be claimed, a letter in an inbox, a run that has ended."""

    READY = "r"
    INBOX = "i"
    ENDED = "e"


class Hint(msgspec.Struct, frozen=True):
    """One hint. The claim's SQL picks the run; `run_id` only says who might care."""

    news: News
    run_id: str


Listener = Callable[[list[Hint]], None]


class Bell(Protocol):
    """Rings for all listeners, in this process and where the adapter reaches."""

    def ring(self, hints: Iterable[Hint]) -> None:
        """Tells every listener soon. Never waits, never fails."""
        ...

    def listen(self, listener: Listener) -> None:
        """Calls the listener on the event loop with each batch of hints."""
        ...

    async def open(self) -> None:
        """Begins to listen."""
        ...

    async def close(self) -> None:
        """Ends it."""
        ...
