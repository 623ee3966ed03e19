"""What the tests of agents share: a model that remembers what it was asked, and looks at what it was told."""

from collections.abc import Callable, Sequence
from typing import Any

from callboard.domain.message import Role, ToolResult
from callboard.models import ModelRequest, Reply, ScriptedModel
from callboard.models.scripted import Fault


class Recorder:
    """A script that keeps every request; answers come from a list by turn, or from a function."""

    def __init__(self, script: Sequence[Reply] | Callable[[ModelRequest], Any], **options: Any) -> None:
        self.requests: list[ModelRequest] = []
        self._script = script
        self.model = ScriptedModel(self._answer, **options)

    def _answer(self, request: ModelRequest) -> Any:
        self.requests.append(request)
        return self._script(request) if callable(self._script) else self._script[request.turn]

    @property
    def turns(self) -> list[tuple[int, int]]:
        """Turn and attempt of each request."""
        return [(request.turn, request.attempt) for request in self.requests]


def told(request: ModelRequest) -> list[ToolResult]:
    """What the tools answered since the model last spoke."""
    last = request.messages[-1]
    assert last.role is Role.TOOL
    return [part for part in last.parts if isinstance(part, ToolResult)]


__all__ = ["Fault", "Recorder", "told"]
