"""Option texts as values. Each raises InputInvalid, showing what was given and what would do."""

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from callboard.domain.run import RunStatus
    from callboard.runtime import ApprovalStatus, Scope

T = TypeVar("T", bound=StrEnum)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def run_status(text: str) -> "RunStatus":
    """A run's status by its name."""
    from callboard.domain.run import RunStatus

    return _named(RunStatus, text)


def approval_status(text: str) -> "ApprovalStatus":
    """A question's status by its name."""
    from callboard.runtime import ApprovalStatus

    return _named(ApprovalStatus, text)


def scope(text: str) -> "Scope":
    """What a control is about, by its name."""
    from callboard.runtime import Scope

    return _named(Scope, text, "")


def json_value(text: str, option: str) -> Any:
    """JSON. A text needs its quotes, which a shell takes away unless they are quoted too."""
    from msgspec import DecodeError

    from callboard.domain.codec import decode
    from callboard.domain.errors import InputInvalid

    try:
        return decode(text.encode("utf-8", "surrogateescape"))
    except DecodeError as error:
        raise InputInvalid(
            f"{option} {text!r} is not JSON", why=str(error), remedy="quote it for the shell, for example '\"yes\"'"
        ) from error


def labels(given: list[str]) -> dict[str, str]:
    """Labels from texts such as `team=red`."""
    from callboard.domain.errors import InputInvalid

    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InputInvalid(f"--label {text!r} is not a name and a value", remedy="write --label team=red")
        found[name] = value
    return found


def duration(text: str) -> float:
    """Seconds from texts such as `90s`, `12h` or `30d`."""
    from callboard.domain.errors import InputInvalid

    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    if match is None:
        raise InputInvalid(f"{text!r} is not a length of time", remedy="write a number and s, m, h, d or w: 30d")
    return float(match[1]) * _SECONDS[match[2]]


def _named(kind: type[T], text: str, option: str = "--status ") -> T:
    from callboard.domain.errors import InputInvalid

    try:
        return kind(text.lower())
    except ValueError:
        raise InputInvalid(f"{option}{text!r} is unknown", remedy=f"use one of {', '.join(kind)}") from None
