"""One server for all processes of a test session: the first who asks starts it, the others join."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from tests.servers.card import Card
from tests.servers.place import Gone, Place


class Shared(Protocol):
    """A server that others can join."""

    @property
    def card(self) -> Card: ...


Server = TypeVar("Server", bound=Shared)


def join_or_begin(note: Path, begin: Callable[[], Server], join: Callable[[Card, Place], Server]) -> Server:
    """Joins the server that the note tells of, if somebody still holds it; else begins one and writes the note."""
    with note.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if note.exists():
            card = msgspec.json.decode(note.read_bytes(), type=Card)
            try:
                return join(card, Place.hold(Path(card.folder)))
            except Gone:
                note.unlink()
        server = begin()
        with os.fdopen(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            written.write(msgspec.json.encode(server.card))
        return server
