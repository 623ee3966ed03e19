"""What differs between two JSON-like values, for people who compare a proposal with what they made of it."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

ABSENT: Any = msgspec.UNSET  # on the side that has nothing there
_MOST = 200  # changes that anybody reads


class Change(msgspec.Struct, frozen=True):
    """One place where two values differ. `path` is as people write it: `items[2].price`, empty for the whole."""

    path: str
    what: Literal["added", "removed", "changed"]
    before: Any
    after: Any


def difference(before: Any, after: Any, limit: int = _MOST) -> list[Change]:
    """The places where they differ, in order, `limit` at most. Lists are compared by position."""
    found: list[Change] = []
    for change in _changes("", before, after):
        found.append(change)
        if len(found) == limit:
            break
    return found


def _changes(path: str, before: Any, after: Any) -> Iterator[Change]:
    if before is ABSENT:
        yield Change(path, "added", None, after)
    elif after is ABSENT:
        yield Change(path, "removed", before, None)
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from _changes(_inner(path, str(name)), before.get(name, ABSENT), after.get(name, ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            one, other = (side[place] if place < len(side) else ABSENT for side in (before, after))
            yield from _changes(f"{path}[{place}]", one, other)
    elif not _same(before, after):
        yield Change(path, "changed", before, after)


def _inner(path: str, name: str) -> str:
    plain = name.replace("_", "").replace("-", "").isalnum()
    if not plain:
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def _same(before: Any, after: Any) -> bool:
    """Equal, and no truth value taken for a number: 1 and true are two things in JSON."""
    return bool(before == after) and isinstance(before, bool) is isinstance(after, bool)
