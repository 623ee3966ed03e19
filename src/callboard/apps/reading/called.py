"""Which effects are calls that a model asked for, and with what."""

from collections.abc import Iterator
from typing import Any

import msgspec

from callboard.apps.reading.effect import Effect, Sort


def called(found: list[Effect]) -> list[Effect]:
    """Tells the tools that agents called from steps, and what they were called with: a read is not journaled with its
    arguments, since the model's answer has them."""
    scopes: dict[str, list[dict[str, Any]]] = {}  # of agents: the calls that their models asked for last
    for number, effect in enumerate(found):
        scope = effect.place.rpartition("/")[0]
        if effect.sort is Sort.MODEL:
            scopes[scope] = _calls(effect.result)
            continue
        if effect.sort is not Sort.STEP and (effect.sort is not Sort.TOOL or effect.asked is not None):
            continue
        agent = next((each for each in _around(effect.place) if each in scopes), None)
        if agent is None:
            continue
        asked = next((call for call in scopes[agent] if call.get("name") == effect.name), None)
        if asked is not None:
            scopes[agent].remove(asked)
        arguments = None if asked is None else asked.get("arguments", {})
        found[number] = msgspec.structs.replace(effect, sort=Sort.TOOL, asked=arguments)
    return found


def _around(place: str) -> Iterator[str]:
    """The scopes that a place lies in, from the innermost."""
    while place:
        place = place.rpartition("/")[0]
        yield place
        if "." in place.rpartition("/")[2]:
            yield place.rpartition(".")[0].rpartition("/")[0]


def _calls(result: Any) -> list[dict[str, Any]]:
    message = result.get("message") if isinstance(result, dict) else None
    parts = message.get("parts") if isinstance(message, dict) else None
    return [part for part in parts or () if isinstance(part, dict) and part.get("type") == "call"]
