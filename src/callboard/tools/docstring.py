"""What a docstring in Google style says about a function and its parameters."""

import inspect
import re
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

_ARGUMENTS = frozenset({"Args", "Arguments"})
_HEADINGS = _ARGUMENTS | {"Returns", "Yields", "Raises", "Attributes", "Example", "Examples", "Note", "Notes"}
_PARAMETER = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Docstring:
    """The text before the first section, and the description of each parameter under `Args:`."""

    description: str
    parameters: dict[str, str]

    @classmethod
    def of(cls, fn: Any) -> "Docstring":
        """Read the function's docstring; without one, all is empty."""
        lines = (inspect.getdoc(fn) or "").splitlines()
        description = takewhile(lambda line: not _heading(line), lines)
        return cls("\n".join(description).strip(), _parameters(lines))


def _heading(line: str) -> str:
    name, colon, rest = line.rstrip().partition(":")
    return name if colon and not rest and name in _HEADINGS else ""


def _parameters(lines: list[str]) -> dict[str, str]:
    start = next((i for i, line in enumerate(lines) if _heading(line) in _ARGUMENTS), None)
    if start is None:
        return {}
    section = list(takewhile(lambda line: not line or line[0].isspace(), lines[start + 1 :]))
    entry_indent = min((_indent(line) for line in section if line.strip()), default=0)
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in section:
        entry = _PARAMETER.match(line.strip()) if _indent(line) == entry_indent else None
        if entry:
            current = found.setdefault(entry[1], [entry[2]])
        else:
            current.append(line.strip())
    return {name: " ".join(filter(None, words)) for name, words in found.items()}


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
