"""Workers and the runs they own: claim, settle, heartbeat, takeover."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec

from callboard.domain.event import Event
from callboard.domain.run import Run, RunStatus
from callboard.store.letter import Letter

SHARE = 1.0  # seconds by which each ready run of a tenant puts the tenant's next one behind other tenants' runs
AGEING = 60.0  # seconds of waiting that one step of priority is worth


class Claim(msgspec.Struct, frozen=True):
    """The right to write to a run until somebody raises its epoch. `number` is the store's own name for the run."""

    run_id: str
    tenant: str
    number: int
    epoch: int


class Claimed(msgspec.Struct, frozen=True):
    """A claimed run with all that its owner needs: row, journal, inbox."""

    claim: Claim
    run: Run
    events: list[Event]
    inbox_seq: int
    letters: list[Letter]


class Park(msgspec.Struct, frozen=True):
    """Stop executing and wait, unless something arrived above `inbox_seq`. `wake_at` is in epoch seconds."""

    inbox_seq: int
    wake_at: float | None


UNREAD = frozenset({RunStatus.SUCCEEDED, RunStatus.CANCELLED})  # ends after which nobody reads a letter any more


class Finish(msgspec.Struct, frozen=True):
    """The run ends or blocks: its last event and its status.

    `notice` goes to a parent that waits, as the body of a letter. `orphans`: children that must end with it
    are sent a cancel. `error` is the JSON of an ErrorRecord.
    """

    status: RunStatus
    event: Event
    notice: bytes = b""
    orphans: bool = False
    error: bytes | None = None


class Release(msgspec.Struct, frozen=True):
    """Hand the run back: somebody else goes on with it."""


class Renew(msgspec.Struct, frozen=True):
    """The run begins anew under its own id: `event` (CONTINUED, its body the new input) is the first that later
    claims load. Letters that were not consumed stay in the inbox, but for those of children: with `orphans`,
    attached children that live are sent a cancel, and none of them reports to the run that begins anew."""

    event: Event
    orphans: bool = False


class Settled(msgspec.Struct, frozen=True):
    """What settling did. `done` is False only for a Park that was refused because something had arrived.

    `woken` are other runs (a parent, orphans) that became ready by it.
    """

    done: bool
    woken: tuple[str, ...] = ()


class WorkerInfo(msgspec.Struct, frozen=True):
    """A worker as its row says. `alive` and `beat_age` (seconds since its last heartbeat) are as of now."""

    id: str
    pid: int
    host: str
    started_at: float
    alive: bool
    beat_age: float
    running: int = 0


class Takeover(msgspec.Struct, frozen=True):
    """What a sweep did about workers that are gone: runs made ready again, runs given up as poisonous, and whose these
    are, in the same order."""

    ready: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()


class Outlook(msgspec.Struct, frozen=True):
    """What there is to do: ready runs, how many of them are suspects, when the next waiting run is due (epoch
    seconds), the inbox counters of the runs that the asking worker owns, by run id, how many workers there are,
    and what time the database has (epoch seconds; None where that is this machine's). `ready` and `suspects` may
    be counted up to a thousand only."""

    ready: int
    suspects: int
    next_due: float | None
    inboxes: dict[str, int]
    workers: int = 1
    now: float | None = None


class Backlog(msgspec.Struct, frozen=True):
    """How much there is, for admission and scaling.

    Attributes:
        ready: runs that could be claimed.
        running: runs that a worker has.
        waiting: runs that wait for a letter or a time.
        oldest: since when the ready run that waits longest has been ready (epoch seconds); None without any.
        tenants: ready runs by tenant.
    """

    ready: int
    running: int
    waiting: int
    oldest: float | None
    tenants: dict[str, int]


class Claims(Protocol):
    """What workers do with runs."""

    async def register(self, worker_id: str, at: float) -> None:
        """Announces a worker; it counts as alive from now on."""
        ...

    def beat(self, worker_id: str) -> None:
        """Records a heartbeat. May be called from any thread; does not wait."""
        ...

    async def retire(self, worker_id: str) -> None:
        """The worker leaves; runs that it still owns are handed back without blame."""
        ...

    async def claim(
        self,
        worker_id: str,
        flows: Sequence[str],
        limit: int,
        at: float,
        *,
        suspects: bool = False,
        labels: Sequence[str] = (),
    ) -> list[Claimed]:
        """Takes up to `limit` ready runs of these flows (`name@version`), best first, and raises their epochs.

        Best is the lowest rank: the time it became ready, put later for each run of the same tenant that is
        still to be started before it, and earlier by a minute for each step of priority; so priority ages, and
        a tenant's backlog does not delay another's first run. Runs that need a label which is not among
        `labels` are left; so are those of paused tenants and flows, and those beyond the limits on how many
        of a tenant or flow may run at a time (see callboard.store.controls).

        With `suspects`, takes at most one run whose owners died without progress; without, none of those.
        """
        ...

    def settle(self, claim: Claim, end: Park | Finish | Release | Renew) -> Awaitable[Settled]:
        """Ends a claim, together with the event in it. Raises LeaseLost."""
        ...

    async def wake_due(self, at: float, limit: int) -> int:
        """Makes waiting runs ready whose time has come; returns how many."""
        ...

    async def outlook(self, worker_id: str, flows: Sequence[str] | None = None) -> "Outlook":
        """What there is to do, of these flows (`name@version`) or of all, in one look that writes nothing."""
        ...

    async def take_over(self, worker_id: str, lease: float, max_deaths: int, at: float) -> Takeover:
        """Frees the runs of workers that are gone, or that have not beaten for `lease` seconds.

        A run whose owner died without having appended anything counts a death; at `max_deaths` it is dead.
        """
        ...

    async def backlog(self) -> Backlog:
        """How much there is, over all tenants."""
        ...

    async def workers(self) -> list[WorkerInfo]:
        """All workers known."""
        ...
