"""What a worker knows of the fleet around it, as of its last sweep."""

from collections.abc import Iterable

from callboard.store.budgets import Limit
from callboard.store.controls import Control, Scope

LOOK = 5.0  # seconds after which a call that waits for its tool looks again


class Fleet:
    """Kept by the worker's sweep, read by calls and limits.

    Attributes:
        size: how many workers there are; 1 where nobody has looked.
        limits: what operators allow, see callboard.store.budgets.
    """

    def __init__(self) -> None:
        self.size = 1
        self.limits: tuple[Limit, ...] = ()
        self._paused: frozenset[str] = frozenset()

    def update(self, size: int, controls: Iterable[Control], limits: Iterable[Limit] = ()) -> None:
        """Takes over what the store says."""
        self.size = max(1, size)
        self.limits = tuple(limits)
        self._paused = frozenset(c.name for c in controls if c.paused and c.scope is Scope.TOOL)

    def pauses(self, tool: str) -> bool:
        """Whether operators have paused that tool: its calls wait."""
        return tool in self._paused
