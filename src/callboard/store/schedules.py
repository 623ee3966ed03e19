"""Schedules: runs that are to be started again and again."""

from enum import StrEnum
from typing import Protocol

import msgspec


class Overlap(StrEnum):
    """What happens when a start is due and the run of the start before has not ended.

    `skip` leaves it out, `queue` starts it once that run has ended, `replace` cancels that run, `allow` starts
    it beside.
    """

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"
    ALLOW = "allow"


class CatchUp(StrEnum):
    """Which starts are made up for that were missed while no worker ran or the schedule was paused."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule of a tenant.

    Attributes:
        cron: five or six fields, as cron has them.
        zone: IANA name of the time zone in which `cron` is read.
        input: JSON, the input of each run.
        next_at: when the next start is due, in epoch seconds.
        last_at: the time that the last start was due, None before the first.
        last_run: the id of the run it started.
    """

    tenant: str
    name: str
    flow: str
    cron: str
    next_at: float
    zone: str = "UTC"
    input: bytes = b"null"
    overlap: Overlap = Overlap.SKIP
    catch_up: CatchUp = CatchUp.LAST
    paused: bool = False
    last_at: float | None = None
    last_run: str | None = None


class Schedules(Protocol):
    """Keeps schedules. Workers look for what is due; whoever advances a schedule first has fired it."""

    async def put(self, schedule: Schedule) -> None:
        """Creates a schedule, or changes the one of that tenant and name; `last_at` and `last_run` stay."""
        ...

    async def remove(self, tenant: str, name: str) -> bool:
        """Removes a schedule; runs that it started go on. False when there was none."""
        ...

    async def find(self, tenant: str) -> list[Schedule]:
        """A tenant's schedules by name."""
        ...

    async def get(self, tenant: str, name: str) -> Schedule:
        """One schedule. Raises NotFound."""
        ...

    async def due(self, at: float, limit: int) -> list[Schedule]:
        """Schedules of all tenants that are not paused and whose `next_at` has come, earliest first. For workers."""
        ...

    async def advance(self, schedule: Schedule, next_at: float, last_run: str | None) -> bool:
        """Moves a schedule on if its `next_at` is still that of `schedule`; False when somebody was faster.

        With `last_run`, that run and the old `next_at` become the last start.
        """
        ...

    async def pause(self, tenant: str, name: str, paused: bool) -> bool:
        """Pauses or resumes a schedule; False when there is none."""
        ...
