"""What a model is told about a tool: the word that models and tools share."""

from typing import Any

import msgspec


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as a model sees it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]
