"""Reads the input file, a line at a time."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `key` names its run; `error` says why there is no value."""

    number: int
    key: str | None
    value: Any = None
    error: InputInvalid | None = None


def count(path: Path) -> int:
    """How many lines there are to read."""
    with path.open("rb") as file:
        return sum(1 for raw in file if raw.strip())


def read(path: Path) -> Iterator[Line]:
    """The lines in order; empty ones are passed over. One that cannot be read carries its error."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            text = raw.removeprefix(_BOM).strip() if number == 1 else raw.strip()
            if text:
                yield _line(number, text)


def _line(number: int, text: bytes) -> Line:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Line(number, None, error=InputInvalid(f"this is not JSON: {error}"))
    try:
        return Line(number, _key(value), value)
    except InputInvalid as error:
        return Line(number, None, error=error)


def _key(value: Any) -> str:
    """The line's `key`, else its `id`, else a hash of its content."""
    if isinstance(value, dict):
        for name in ("key", "id"):
            given = value.get(name)
            if isinstance(given, str) and given:
                return given
            if isinstance(given, int) and not isinstance(given, bool):
                return str(given)
            if given is not None:
                raise InputInvalid(f"{name}={given!r} cannot name a run", remedy="use a text or a whole number")
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
