"""One journal row."""

from enum import IntEnum
from typing import Any

import msgspec


class EventKind(IntEnum):
    """What a row says. The numbers are stored: never reuse one."""

    STARTED = 1
    INTENT = 2
    DONE = 3
    FAILED = 4
    CANCELLED = 5
    ABANDONED = 6
    RETRY = 7
    PATCHED = 8
    REQUEUED = 9
    FORKED = 10
    CONTINUED = 11
    BEAT = 12
    RUN_SUCCEEDED = 20
    RUN_FAILED = 21
    RUN_CANCELLED = 22
    RUN_BLOCKED = 23
    RUN_DEAD = 24

    @property
    def label(self) -> str:
        """The name that people read."""
        return self.name.lower().replace("run_", "run ")


OUTCOMES = frozenset({EventKind.DONE, EventKind.FAILED, EventKind.CANCELLED, EventKind.ABANDONED})
ENDINGS = frozenset(kind for kind in EventKind if kind >= EventKind.RUN_SUCCEEDED)  # a requeue may follow


class Event(msgspec.Struct, frozen=True):
    """One row of a run's journal.

    Attributes:
        seq: position in the run, from 0 without gaps.
        kind: what the row says.
        path: the effect, as `place:name` (`3/1:refund`), or "" for the run itself.
        digest: eight bytes over what the effect was asked to do, or b"".
        at: when, in microseconds since the Unix epoch.
        took: how long the effect took, in microseconds.
        body: JSON of what the row carries, or b"".
    """

    seq: int
    kind: EventKind
    path: str
    digest: bytes
    at: int
    took: int
    body: bytes

    def value(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body) if self.body else None
