"""The tools that there are, by name."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from callboard.domain.errors import InputInvalid, ToolFailed
from callboard.domain.kinds import ErrorKind
from callboard.domain.toolspec import ToolSpec
from callboard.tools.tool import Tool


class Toolbox:
    """A registry of tools. It knows nothing of who may use them."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        """Raises InputInvalid when two tools share a name."""
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self.add(tool)

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def add(self, tool: Tool) -> None:
        """Put a tool in. Raises InputInvalid when its name is taken."""
        if tool.name in self._tools:
            raise InputInvalid(f"there is a tool named {tool.name} already", remedy="give one of them a name")
        self._tools[tool.name] = tool

    def get(self, name: str) -> Tool:
        """The tool of that name.

        Raises ToolFailed(UNKNOWN_TOOL); its text and `detail["nearest"]` list the names most like it.
        """
        try:
            return self._tools[name]
        except KeyError:
            raise self._unknown(name) from None

    def specs(self, names: Iterable[str]) -> tuple[ToolSpec, ...]:
        """What a model is told about these tools, in this order. Raises ToolFailed(UNKNOWN_TOOL)."""
        return tuple([self.get(name).spec() for name in names])

    def _unknown(self, name: str) -> ToolFailed:
        nearest = get_close_matches(name[:64], self._tools, n=3, cutoff=0.4)
        return ToolFailed(
            f"there is no tool named {name[:64]!r}",
            remedy=f"did you mean {' or '.join(nearest)}?" if nearest else "",
            kind=ErrorKind.UNKNOWN_TOOL,
            detail={"name": name[:64], "nearest": nearest},
        )
