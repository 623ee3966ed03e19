"""The bells that the suite rings. A new adapter joins by a class here and a line in ADAPTERS."""

import itertools
from pathlib import Path
from typing import Protocol

from callboard.dispatch.bell import Bell
from callboard.dispatch.fifo import FifoBell
from callboard.dispatch.in_process import InProcessBell


class Adapter(Protocol):
    """Bells that hear each other, one for each process. `shared` is False if there can be only one."""

    name: str
    shared: bool

    def bell(self) -> Bell:
        """A bell that is not open yet, as one more process would have it."""
        ...


class InProcess:
    name = "in process"
    shared = False

    def __init__(self, folder: Path) -> None:
        pass

    def bell(self) -> Bell:
        return InProcessBell()


class Fifo:
    name = "fifo"
    shared = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "live"
        self._numbers = itertools.count()

    def bell(self) -> Bell:
        return FifoBell(self._folder, f"process-{next(self._numbers)}", InProcessBell())


ADAPTERS: list[type[InProcess] | type[Fifo]] = [InProcess, Fifo]
