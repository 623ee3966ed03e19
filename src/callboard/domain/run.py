"""A run, its states, and the one table of transitions."""

from enum import StrEnum
from typing import Any

import msgspec

from callboard.domain.budget import Charge
from callboard.domain.kinds import ErrorRecord
from callboard.domain.usage import NOTHING, Usage


class RunStatus(StrEnum):
    """Where a run stands."""

    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    BLOCKED = "blocked"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"

    @property
    def ended(self) -> bool:
        """True when nothing more will happen unless somebody asks for it."""
        return self in ENDED


_S = RunStatus

# The only moves there are; drawn in docs/architecture.md, and a test compares the two.
TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    _S.READY: frozenset({_S.RUNNING, _S.DEAD}),
    _S.RUNNING: frozenset(
        {_S.READY, _S.WAITING, _S.BLOCKED, _S.SUCCEEDED, _S.FAILED, _S.CANCELLED, _S.DEAD},
    ),
    _S.WAITING: frozenset({_S.READY}),
    _S.BLOCKED: frozenset({_S.READY}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset({_S.READY}),
    _S.CANCELLED: frozenset(),
    _S.DEAD: frozenset({_S.READY}),
}

ENDED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.CANCELLED, _S.DEAD})
REQUEUEABLE = frozenset(s for s in (_S.BLOCKED, _S.FAILED, _S.DEAD) if _S.READY in TRANSITIONS[s])


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run as its row says. Times are seconds since the Unix epoch; `error` says why it did not succeed.

    `start_at`: it was not to begin before. `needs`: the label that its worker must have. `charges`: whom it counts
    to beside itself: the runs above it and the sessions of these, as accounts without a bound. `by`: who started it, as
    Principal.who says it. `trace`: the `traceparent` of what started it.
    """

    id: str
    tenant: str
    flow: str
    version: str
    status: RunStatus
    priority: int = 0
    key: str | None = None
    epoch: int = 0
    depth: int = 0
    parent: str | None = None
    fork_of: str | None = None
    created_at: float = 0.0
    updated_at: float = 0.0
    finished_at: float | None = None
    wake_at: float | None = None
    deaths: int = 0
    usage: Usage = NOTHING
    labels: dict[str, str] = {}
    error: ErrorRecord | None = None
    start_at: float | None = None
    needs: str | None = None
    charges: tuple[Charge, ...] = ()
    by: str | None = None
    trace: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended: its status, its output as stored (None unless it succeeded), its error."""

    status: RunStatus
    output: Any = None
    error: ErrorRecord | None = None
