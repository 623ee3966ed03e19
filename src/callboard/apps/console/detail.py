"""What the page of one effect shows beside its facts: read from what the journal has, whatever version wrote it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from callboard.apps.reading.effect import Attempt, Effect, Sort

_PART = {
    "type": "",
    "text": "",
    "name": "",
    "arguments": None,
    "raw": None,
    "content": None,
    "error": None,
    "media_type": "",
    "ref": "",
    "kind": "",
    "provider": "",
}


class Tried(msgspec.Struct, frozen=True):
    """An attempt; beside it what held it back: the upstream, by what (its breaker, a limit, retries used up), and
    whether the call was made at all."""

    attempt: Attempt
    upstream: str
    by: str
    unmade: bool


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """Of a model call: who asked whom and why, and the answer. `route` has candidates and reasons, the last one asked;
    `message` is as `message` makes it. Of any effect: its attempts."""

    agent: str
    model: str
    provider: str
    finish: str
    cached: bool
    route: tuple[tuple[str, str], ...]
    message: dict[str, Any] | None
    tried: tuple[Tried, ...]


def detail(effect: Effect) -> Detail:
    """What is known of an effect beyond its facts."""
    result = effect.result if effect.sort is Sort.MODEL and isinstance(effect.result, dict) else {}
    return Detail(
        agent=_text(effect.note.get("agent")),
        model=_text(result.get("model")) or _text(effect.note.get("model")),
        provider=_text(result.get("provider")),
        finish=_text(result.get("finish")),
        cached=bool(result.get("cached")),
        route=_route(result.get("route")) or _route(effect.note.get("considered")),
        message=message(result.get("message")),
        tried=tuple(_tried(each) for each in effect.attempts),
    )


def message(stored: Any) -> dict[str, Any] | None:
    """A message as journals have it, each part with all keys that any part may have; None where it is no message."""
    if not isinstance(stored, Mapping):
        return None
    parts = [_PART | part for part in stored.get("parts") or () if isinstance(part, dict)]
    return {"role": _text(stored.get("role")), "parts": parts}


def _route(stored: Any) -> tuple[tuple[str, str], ...]:
    """Candidates as responses have them (structs) or as intents do (pairs)."""
    found: list[tuple[str, str]] = []
    for each in stored if isinstance(stored, list) else ():
        if isinstance(each, dict):
            found.append((_text(each.get("model")), _text(each.get("reason"))))
        elif isinstance(each, list) and len(each) >= 2:
            found.append((_text(each[0]), _text(each[1])))
    return tuple(found)


def _tried(attempt: Attempt) -> Tried:
    told = (attempt.error.detail or {}) if attempt.error is not None else {}
    return Tried(attempt, _text(told.get("upstream")), _text(told.get("by")), told.get("made") is False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
