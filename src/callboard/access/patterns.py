"""Patterns of names, in which a `*` stands for any characters: what one covers, and what two have in common."""

import re
from collections.abc import Iterable
from functools import cache

from callboard.domain.errors import InputInvalid
from callboard.domain.principal import EVERY

_MOST = 200  # patterns that a search is split into
_LONGEST = 200  # characters of a pattern
_SPECIAL = frozenset("?[]")  # a matcher of file names would take these for more than they are here


def pattern(text: str) -> str:
    """A pattern as it is kept: `**` is `*`. Raises InputInvalid."""
    if not 0 < len(text) <= _LONGEST or not text.isprintable() or _SPECIAL & set(text):
        raise InputInvalid(
            f"{text[:_LONGEST]!r} is no pattern of names",
            why=f"it has 1 to {_LONGEST} characters, none of them ?, [ or ]",
            remedy="write a flow's name, or shop-* for all that begin so",
        )
    return re.sub(r"\*+", EVERY, text)


def covers(wide: str, narrow: str) -> bool:
    """Whether every name that `narrow` stands for is one that `wide` stands for, too.

    A `*` of the narrow one is a character like any other here, which only a `*` of the wide one can take up.
    """
    if wide in (narrow, EVERY):
        return True
    if _SPECIAL & {*wide, *narrow}:
        return False
    parts = [re.escape(part) for part in wide.split(EVERY)]
    return EVERY in wide and re.fullmatch(".*".join(parts), narrow, re.DOTALL) is not None


def common(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    """Patterns for the names that stand in both. Raises InputInvalid when that takes too many."""
    found: set[str] = set()
    wanted = list(other)
    for a in one:
        for b in wanted:
            found |= {a} if covers(b, a) else {b} if covers(a, b) else _both(a, b)
            if len(found) > _MOST:
                raise InputInvalid("too many patterns of flows", remedy="name fewer flows, or whole names")
    return tuple(sorted(each for each in found if not any(each != wide and covers(wide, each) for wide in found)))


def _both(a: str, b: str) -> set[str]:
    if a.count(EVERY) * b.count(EVERY) > 9 or len(a) * len(b) > 10_000:
        raise InputInvalid(f"{a!r} and {b!r} are too involved", remedy="use fewer * in the names that are looked for")

    @cache
    def meet(i: int, j: int) -> frozenset[str]:
        if i == len(a) and j == len(b):
            return frozenset({""})
        found: set[str] = set()
        if i < len(a) and j < len(b):
            if a[i] == b[j] == EVERY:
                found |= {EVERY + rest for rest in meet(i + 1, j) | meet(i, j + 1)}
            elif a[i] == EVERY:
                found |= meet(i + 1, j) | {b[j] + rest for rest in meet(i, j + 1)}
            elif b[j] == EVERY:
                found |= meet(i, j + 1) | {a[i] + rest for rest in meet(i + 1, j)}
            elif a[i] == b[j]:
                found |= {a[i] + rest for rest in meet(i + 1, j + 1)}
        elif i < len(a) and a[i] == EVERY:
            found |= meet(i + 1, j)
        elif j < len(b) and b[j] == EVERY:
            found |= meet(i, j + 1)
        return frozenset(re.sub(r"\*+", EVERY, each) for each in found)

    return set(meet(0, 0))
