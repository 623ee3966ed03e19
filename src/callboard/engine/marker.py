"""The mark that a change of the code leaves in the journals of runs that have it."""

from typing import Any

from callboard.domain.event import EventKind
from callboard.engine.branch import Branch
from callboard.engine.executing import Executing
from callboard.engine.waits import Value


class Marker(Value):
    """Journals that the run has a change."""

    __slots__ = ("patch",)

    def __init__(self, execution: Executing, patch: str) -> None:
        super().__init__(execution, "patched", None)
        self.patch = patch

    def __await__(self) -> Any:
        # It takes no place: runs from before the change have none to give.
        return (yield (self, "", None))

    def settles_first(self, move: Any) -> bool:
        """It is done at once."""
        return True

    async def perform(self, branch: Branch, place: str, move: Any) -> None:
        """Journals the marker."""
        await self.execution.record(EventKind.PATCHED, f":{self.patch}", b"", b"")
