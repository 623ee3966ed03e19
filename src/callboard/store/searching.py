"""What a search asks for, in the pieces of which each database makes its statement; the same on each."""

import string
from typing import Any

import msgspec

from callboard.domain.errors import InputInvalid
from callboard.domain.run import RunStatus
from callboard.domain.usage import Usage
from callboard.store.runs import Search, Totals

_LONGEST = 1_000  # characters of one value; databases refuse patterns that are much longer
_WORDS, _LABELS, _GLOBS = 16, 16, 200  # each is a condition of its own, asked of each run
_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_FAILED = frozenset({RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.DEAD, RunStatus.BLOCKED})
_STUCK = frozenset({RunStatus.BLOCKED, RunStatus.DEAD})
_OPEN = frozenset({RunStatus.READY, RunStatus.RUNNING, RunStatus.WAITING})


class Wanted(msgspec.Struct, frozen=True):
    """A search, taken apart.

    Attributes:
        source: where the runs are found: `every`; `failed`, those that have an error; `stuck`, those that go on when
            somebody acts; `open`, those that a worker has or will have.
        statuses: one of these, if any.
        names, globs: of flows; None when any flow will do.
        labels, kind, by, since, until, roots, among: as they are.
        words: for each word what it may look like in other cases; any of these.
    """

    source: str
    statuses: tuple[str, ...]
    names: tuple[str, ...] | None
    globs: tuple[str, ...]
    labels: dict[str, str]
    kind: str | None
    by: str | None
    since: float | None
    until: float | None
    words: tuple[tuple[str, ...], ...]
    roots: bool
    among: int | None

    @property
    def from_the_newest(self) -> bool:
        """Whether runs are looked through one after the other, so that it matters where that begins and ends."""
        return self.source != "open"


def wanted(search: Search) -> Wanted:
    """Takes a search apart. Raises InputInvalid for what no run can have."""
    for value in (*(search.flows or ()), *search.labels, *search.labels.values(), search.kind, search.by, search.text):
        _check(value)
    words = search.text.split()
    flows = None if search.flows is None or "*" in search.flows else search.flows
    globs = tuple(name for name in flows or () if "*" in name)
    for count, limit, what in (
        (len(words), _WORDS, "words"),
        (len(search.labels), _LABELS, "labels"),
        (len(globs), _GLOBS, "patterns"),
    ):
        if count > limit:
            raise InputInvalid(f"a search for {count} {what}", remedy=f"use at most {limit}")
    return Wanted(
        source=_source(search),
        statuses=tuple(str(status) for status in search.statuses),
        names=None if flows is None else tuple(name for name in flows if "*" not in name),
        globs=globs,
        labels=search.labels,
        kind=search.kind,
        by=search.by,
        since=search.since,
        until=search.until,
        words=tuple(_cases(word) for word in words),
        roots=search.roots,
        among=search.among,
    )


def containing(word: str) -> str:
    r"""A pattern of LIKE, in which `\` escapes, for texts that hold the word."""
    return f"%{escaped(word)}%"


def escaped(text: str) -> str:
    r"""Text as it stands in a pattern of LIKE, in which `\` escapes."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def in_json(text: str) -> str:
    """Text as it stands within a text of JSON."""
    return msgspec.json.encode(text).decode()[1:-1]


def small(text: str) -> str:
    """Text with the letters of ASCII in small, and no others changed."""
    return text.translate(_SMALL)


def totals_from(counts: dict[str, int], kinds: dict[str | None, int], usage: tuple[Any, ...], whole: bool) -> Totals:
    """Totals from numbers by status and by kind of error, and sums that are None where there was nothing to add."""
    return Totals(
        {RunStatus(status): count for status, count in counts.items() if count},
        {kind: count for kind, count in kinds.items() if kind is not None and count},
        Usage(*(int(each or 0) for each in usage)),
        whole,
    )


def _source(search: Search) -> str:
    if search.statuses and _STUCK.issuperset(search.statuses):
        return "stuck"
    if search.kind is not None or (search.statuses and _FAILED.issuperset(search.statuses)):
        return "failed"
    return "open" if search.statuses and _OPEN.issuperset(search.statuses) else "every"


def _cases(word: str) -> tuple[str, ...]:
    """Databases compare letters of ASCII whatever their case; others are looked for as they may be written."""
    return (word,) if word.isascii() else tuple(dict.fromkeys((word, word.lower(), word.upper(), word.capitalize())))


def _check(value: str | None) -> None:
    if value is None:
        return
    if len(value) > _LONGEST:
        raise InputInvalid(f"a search for a text of {len(value):,} characters", remedy=f"use at most {_LONGEST:,}")
    if "\x00" in value or not _sound(value):
        raise InputInvalid("a search for a text that no run can have", why="it holds a NUL or half a character")


def _sound(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
