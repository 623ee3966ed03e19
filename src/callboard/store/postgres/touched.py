"""A run's row while a transaction holds its lock: what the ops of a group do to it, one after the other."""

from typing import Any

from callboard.domain.run import ENDED, RunStatus
from callboard.store.claims import AGEING, Claim
from callboard.store.letter import CANCEL

_STATUSES: dict[str, RunStatus] = {str(s): s for s in RunStatus}


class Touched:
    """The columns that change, and those that say how.

    `knocked`: a letter has come, and what it changed has to be written back. `changed`: all has to be, which only
    workers may do.
    """

    __slots__ = (
        "base_seq", "changed", "deaths", "detached", "ended", "epoch", "error", "finished_at", "id", "inbox_seq",
        "knocked", "number", "parent", "parent_path", "priority", "rank", "ready_at", "start_at", "status", "tenant",
        "updated_at", "wake_at",
    )  # fmt: skip

    def __init__(self, row: Any) -> None:
        (self.number, self.id, self.tenant, self.epoch, status, self.inbox_seq, self.priority, self.parent,
         self.parent_path, self.detached, self.start_at, self.base_seq, self.rank, self.ready_at, self.wake_at,
         self.deaths, self.updated_at, self.finished_at) = row  # fmt: skip
        self.status = _STATUSES[status]
        self.knocked = False
        self.changed = False
        self.ended = False  # by this group: only then is there an error to write
        self.error: bytes | None = None

    def held_by(self, claim: Claim) -> bool:
        """Whether the claim still holds."""
        return bool(self.epoch == claim.epoch) and self.status is RunStatus.RUNNING

    def knock(self, name: str, at: float) -> int | None:
        """A letter comes: its number, None when the run has ended. A run that waits is ready then, unless it is
        to begin later; that one is woken by a cancel alone."""
        if self.status in ENDED:
            return None
        self.inbox_seq += 1
        self.knocked = True
        if self.status is RunStatus.WAITING and (self.epoch > 0 or self.start_at is None or name == CANCEL):
            self.make_ready(at)
        return int(self.inbox_seq)

    def make_ready(self, at: float) -> None:
        """It can be claimed from now on."""
        self.status, self.ready_at, self.wake_at = RunStatus.READY, at, None
        self.rank = at - self.priority * AGEING

    def park(self, wake_at: float | None) -> None:
        """It waits."""
        self.status, self.wake_at, self.deaths, self.changed = RunStatus.WAITING, wake_at, 0, True

    def release(self) -> None:
        """It is handed back, to its old place in the queue."""
        self.status, self.changed = RunStatus.READY, True

    def renew(self, seq: int, at: float) -> None:
        """It begins anew from the event `seq` on."""
        self.make_ready(at)
        self.base_seq, self.deaths, self.updated_at, self.changed = seq, 0, at, True

    def finish(self, status: RunStatus, error: bytes | None, at: float) -> None:
        """It ends, or blocks."""
        self.status, self.error, self.ended, self.changed = status, error, True, True
        self.updated_at, self.wake_at, self.deaths = at, None, 0
        self.finished_at = None if status is RunStatus.BLOCKED else at

    def waking(self) -> tuple[Any, ...]:
        """The parameters that write back what letters change."""
        return self.number, self.status, self.inbox_seq, self.rank, self.ready_at, self.wake_at

    def columns(self) -> tuple[Any, ...]:
        """The parameters that write all of it back."""
        return (
            self.number, self.status, self.inbox_seq, self.base_seq, self.rank, self.ready_at, self.wake_at,
            self.deaths, self.updated_at, self.finished_at, self.detached, self.ended, self.error,
        )  # fmt: skip
