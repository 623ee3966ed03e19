"""How a long call shows that it still works."""

from collections.abc import Callable
from typing import Any


class Heartbeat:
    """Handed to a function that runs for long: calling it resets the function's heartbeat time limit.

    Attributes:
        last: the details of the last beat that was journaled by an attempt before this one, also one that died
            with its worker: where to go on from. None on a first attempt.
    """

    __slots__ = ("_tell", "last")

    def __init__(self, tell: Callable[[Any], None], last: Any = None) -> None:
        self._tell = tell
        self.last = last

    def __call__(self, details: Any = None) -> None:
        """Shows life, from any thread. `details`, JSON-like, say how far it is; they are journaled now and then."""
        self._tell(details)
