"""What an agent must answer: text, or JSON that fits a type."""

from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.engine.shape import Shape


class Output:
    """Reads a model's final text as the declared type."""

    __slots__ = ("_shape", "annotation", "schema")

    def __init__(self, annotation: Any, agent: str) -> None:
        self.annotation = annotation
        text = annotation is None or annotation is str
        self._shape = None if text else Shape(annotation, f"the answer of {agent}")
        self.schema = None if self._shape is None else self._shape.schema()

    def read(self, text: str) -> Any:
        """The answer. Raises InputInvalid with what is wrong, in words that the model can act on."""
        if self._shape is None:
            return text
        try:
            value = msgspec.json.decode(_unfenced(text))
        except msgspec.DecodeError as error:
            raise InputInvalid(f"the answer is not JSON: {error}", remedy="answer with one JSON value only") from error
        return self._shape.load(value)


def _unfenced(text: str) -> str:
    """Without the Markdown fence that models like to put around JSON."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped[3:-3].removeprefix("json").strip()
    return stripped
