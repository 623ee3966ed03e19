"""Runs as rows: started, looked up, listed, requeued, forked, purged."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec

from callboard.domain.budget import Charge
from callboard.domain.kinds import ErrorRecord
from callboard.domain.run import Outcome, Run, RunStatus
from callboard.domain.usage import Usage


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to start. `input` is JSON, `digest` is over the input (for the key's comparison).

    Attributes:
        parent_path: where in the parent's journal the child was asked for; a letter `child:PATH` goes there
            when the child ends, unless `detached`.
        start_at: the run waits until then (epoch seconds); it is claimed earlier only to be cancelled.
        needs: only workers with this label execute it.
        charges: whom it counts to beside itself, see callboard.domain.run.Run.
        by: who started it; a child has none.
        trace: the `traceparent` of what started it.
        webhook: an address that is told when it has ended.
    """

    id: str
    tenant: str
    flow: str
    version: str
    input: bytes
    digest: bytes
    at: float
    key: str | None = None
    priority: int = 0
    labels: dict[str, str] | None = None
    depth: int = 0
    parent: str | None = None
    parent_path: str | None = None
    detached: bool = False
    start_at: float | None = None
    needs: str | None = None
    charges: tuple[Charge, ...] = ()
    by: str | None = None
    trace: str | None = None
    webhook: str | None = None


class Started(msgspec.Struct, frozen=True):
    """What a start found: the run's id, and whether this start made it (else the key had made it before)."""

    run_id: str
    created: bool


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are looked for: those to which all of it applies. Times are epoch seconds, of when runs were created.

    Attributes:
        statuses: one of these; empty for any.
        flows: patterns of names of flows, in which a `*` stands for any characters; None for any.
        labels: that they have.
        kind: of the error that ended them.
        by: who started them.
        since, until: created at `since` or later, and before `until`.
        text: words that are all found in the run's id, flow, key, labels, starter or error message, whatever their
            case.
        roots: only those that nobody spawned.
        among: how many runs are looked through at most, beginning with the newest (where only runs with an error can
            fit, so many of those); None for all. Runs that are at work are always looked through.
    """

    statuses: tuple[RunStatus, ...] = ()
    flows: tuple[str, ...] | None = None
    labels: dict[str, str] = {}
    kind: str | None = None
    by: str | None = None
    since: float | None = None
    until: float | None = None
    text: str = ""
    roots: bool = False
    among: int | None = None


class Totals(msgspec.Struct, frozen=True):
    """What the runs of a search come to together: how many in each status, of each kind of error, and their usage.
    Not `whole` where there were more than the search looks through."""

    statuses: dict[RunStatus, int]
    kinds: dict[str, int]
    usage: Usage
    whole: bool = True


class Purge(msgspec.Struct, frozen=True):
    """What a purge removed."""

    runs: int = 0
    events: int = 0
    blobs: int = 0
    sessions: int = 0


class Runs(Protocol):
    """The rows of runs, for doors: every method takes the tenant."""

    def start(self, new: NewRun) -> Awaitable[Started]:
        """Writes the run's row, its first event and whom its end is to be told in one transaction.

        With a key that this tenant used for this flow before: the run of then if the digests are equal,
        else KeyConflict. Whom the end of that one is told already is not told twice.
        """
        ...

    async def get(self, tenant: str, run_id: str) -> Run:
        """The run's row. Raises NotFound."""
        ...

    async def rows(self, tenant: str, run_ids: Sequence[str]) -> dict[str, Run]:
        """The rows of those of the runs that there are, by id, in one read."""
        ...

    async def by_key(self, tenant: str, flow: str, keys: Sequence[str]) -> dict[str, str]:
        """The ids of the flow's runs that these keys made, by key."""
        ...

    async def outcomes(self, tenant: str, run_ids: Sequence[str]) -> dict[str, Outcome]:
        """How those of the runs ended that have ended."""
        ...

    async def find(
        self,
        tenant: str,
        *,
        status: RunStatus | None = None,
        flow: str | None = None,
        labels: dict[str, str] | None = None,
        parent: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Run]:
        """Runs, newest first; `before` is the last id of the page before."""
        ...

    async def search(self, tenant: str, search: Search, *, before: str | None = None, limit: int = 50) -> list[Run]:
        """Runs to which the search applies, newest first; `before` is the last id of the page before.

        Raises InputInvalid for a text that no run can have, or that is too long to look for.
        """
        ...

    async def totals(self, tenant: str, search: Search) -> Totals:
        """What all runs come to to which the search applies. Raises InputInvalid as `search` does."""
        ...

    async def reach(self, tenant: str, search: Search, *, before: str | None = None) -> str | None:
        """The last run that a search with `among` looks at, behind which it goes on with this as `before`; None when
        it looks at all that there are. Raises InputInvalid as `search` does."""
        ...

    async def counts(self, tenant: str) -> dict[RunStatus, int]:
        """How many runs the tenant has in each status."""
        ...

    async def requeue(self, tenant: str, run_id: str, reason: str, at: float) -> Run:
        """Makes a blocked, failed or dead run ready again. One that had ended is told of again when it ends again, each
        address by a delivery of its own, and of the end before no more. Raises NotFound, Conflict."""
        ...

    async def fork(self, tenant: str, run_id: str, at_seq: int, new_id: str, at: float) -> Run:
        """A new run that shares the journal of this one up to `at_seq` and goes on by itself.

        Raises NotFound; Conflict when an intent is open there (its outcome belongs to the first run).
        """
        ...

    async def purge(
        self, tenant: str, *, before: float, statuses: Sequence[RunStatus], batch: int, blobs_before: float
    ) -> Purge:
        """Removes at most `batch` ended runs that finished before that time, oldest first, their own accounts
        (`run:ID`), and blobs that nothing refers to and nobody touched since `blobs_before`. Times are epoch
        seconds. Runs that forks or children in flight still need are kept, those that still hold something of
        a budget, and those of whose end somebody is yet to be told. Conversations go, with all that was said in them,
        to which nobody added since that time, when none of their runs is left and no message waits."""
        ...


class Blocked(msgspec.Struct, frozen=True):
    """Why a run cannot go on: the journal and the code differ. Both sides are shown."""

    path: str
    recorded: str
    requested: str

    def record(self) -> ErrorRecord:
        """As the error that the run's row shows."""
        return ErrorRecord(
            "version_mismatch",
            "version",
            f"at {self.path} the journal has {self.recorded}, the code asks for {self.requested}; deploy code "
            "that fits (see ctx.patched) and requeue the run",
            self.path,
            {"recorded": self.recorded, "requested": self.requested},
        )
