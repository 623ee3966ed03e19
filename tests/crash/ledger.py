"""The world outside: a ledger of what effects really did, kept apart from the store and true across every crash."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from callboard.domain.codec import digest

Guard = Literal["repeatable", "idempotent", "once"]


class Entry(msgspec.Struct, frozen=True):
    """One thing that happened. `effect` is the journal's name of it, `life` the process that did it."""

    effect: str
    guard: Guard
    life: int
    key: str | None = None
    result: Any = None


def effect_id(name: str, asked: bytes) -> str:
    """What names an effect here and in a journal: its name, and a digest over what it was asked to do."""
    return f"{name}#{asked.hex()}"


class Ledger:
    """Appends whole lines to a file, each on the disk before the call returns."""

    def __init__(self) -> None:
        self._fd = -1
        self._path = Path()
        self._life = 0

    def open(self, path: Path, life: int) -> None:
        """Begins to write as that life."""
        self._path, self._life = path, life
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def tool(self, name: str, guard: Guard, key: str, result: Any, /, **arguments: Any) -> Any:
        """A tool did something; returns the result that it is to return."""
        self._write(Entry(effect_id(name, digest(arguments)), guard, self._life, str(key), result))
        return result

    def step(self, name: str, *args: Any) -> int:
        """A step was called; returns how often it has been by now."""
        effect = effect_id(name, digest(args))
        self._write(Entry(effect, "repeatable", self._life, result=args))
        return self._count(effect)

    def model(self, agent: str, turn: int) -> None:
        """A model was asked. The journal does not number turns, so this never matches an effect in it."""
        self._write(Entry(f"{agent} turn {turn}", "repeatable", self._life))

    def found(self, key: str) -> Entry | None:
        """What a tool that changes something did under that key."""
        return next((entry for entry in self.entries() if entry.key == key and entry.guard != "repeatable"), None)

    def count(self, name: str, /, **arguments: Any) -> int:
        """How often a tool was called with these arguments."""
        return self._count(effect_id(name, digest(arguments)))

    def entries(self) -> Sequence[Entry]:
        """All of it, in order."""
        return list(read(self._path))

    def _count(self, effect: str) -> int:
        return sum(entry.effect == effect for entry in self.entries())

    def _write(self, entry: Entry) -> None:
        os.write(self._fd, msgspec.json.encode(entry) + b"\n")
        os.fsync(self._fd)


def read(path: Path) -> Iterator[Entry]:
    """The entries of a ledger file."""
    if path.exists():
        for line in path.read_bytes().splitlines():
            yield msgspec.json.decode(line, type=Entry)
