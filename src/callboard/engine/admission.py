"""Back-pressure: whether one more run may be started, and when to come back if not.

Doors start runs through here. What running runs do (children, timers, signals) is not refused: it is how a
queue gets shorter.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from callboard.domain.errors import Overloaded, StoreError
from callboard.engine.services import Services
from callboard.store.claims import Backlog
from callboard.store.runs import NewRun, Started

_FRESH = 0.5  # seconds for which a look at the queue is taken as it is
_STALE = 5.0  # seconds after which nobody is admitted on it any more
_SHARE = 20  # looking takes at most one part in so many of the time, however long the queue
_SOONEST, _LATEST = 1.0, 300.0  # seconds after which somebody who was refused is to come back


@dataclass(frozen=True, slots=True)
class _Look:
    """What there was. `begun` and `took` are in seconds of the monotonic clock, `age` is the oldest ready run's."""

    backlog: Backlog
    begun: float
    took: float
    age: float


@dataclass(slots=True)
class _Tally:
    """How many, by tenant and in all."""

    total: int = 0
    by: Counter[str] = field(default_factory=Counter)

    def add(self, tenant: str, count: int = 1) -> None:
        self.total += count
        self.by[tenant] += count

    def copy(self) -> "_Tally":
        return _Tally(self.total, +self.by)


class Admission:
    """Counts what this process starts on top of what it last saw in the store.

    A process never admits more than there is room for; several processes may together go over a limit by
    what they admit in the half second between two looks.

    Args:
        services: the store, the clock of runs, options and metrics.
        monotonic: the clock by which looks grow old.
    """

    def __init__(self, services: Services, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._services = services
        self._monotonic = monotonic
        self._look: _Look | None = None
        self._before: _Look | None = None
        self._looking: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._flying = _Tally()  # admitted, not yet known to be written
        self._unseen = _Tally()  # admitted, and perhaps not in the last look
        self._unseen_next = _Tally()  # the same for the look that is being taken
        self._started = _Tally()  # since the last look began
        self._between = _Tally()  # between the last two looks
        self._refused: Counter[str] = Counter()  # since the last look, by whose limit it was

    async def start(self, new: NewRun) -> Started:
        """Starts a run. Raises Overloaded; a key that exists already finds its run even then."""
        store, metrics = self._services.store, self._services.metrics
        try:
            await self._admit(new.tenant)
        except Overloaded as refusal:
            if new.key is not None and await store.runs.by_key(new.tenant, new.flow, [new.key]):
                return await store.runs.start(new)
            metrics.refused[refusal.limit] += 1
            raise
        try:
            started = await store.runs.start(new)
        finally:
            self._flying.add(new.tenant, -1)
        if started.created:
            metrics.started += 1
            self._started.add(new.tenant)
        else:
            self._unseen.add(new.tenant, -1)
            self._unseen_next.add(new.tenant, -1)
        return started

    async def check(self, tenant: str) -> None:
        """Raises Overloaded where a start would be refused now; counts nobody in."""
        # If the store cannot be read, what follows will say so, and better.
        with contextlib.suppress(StoreError):
            if self._older_than(self._fresh):
                await asyncio.shield(self._refresh())
            refusal = self._refusal(tenant)
            if refusal is not None:
                self._services.metrics.refused[refusal.limit] += 1
                raise refusal

    async def backlog(self, max_age: float) -> Backlog:
        """How much there is, as it was at most so many seconds ago. Raises StoreError."""
        if self._look is None or self._monotonic() - self._look.begun > max_age:
            await asyncio.shield(self._refresh())
        assert self._look is not None
        return self._look.backlog

    async def _admit(self, tenant: str) -> None:
        """Counts a start in, or raises Overloaded. Refuses nobody, and admits nobody for long, on an old look."""
        # If the store cannot be read, the start itself will say so, and better.
        with contextlib.suppress(StoreError):
            if self._older_than(max(_STALE, self._fresh)):
                await asyncio.shield(self._refresh())
            refusal = self._refusal(tenant)
            if self._older_than(self._fresh):
                refreshing = self._refresh()
                if refusal is not None:
                    await asyncio.shield(refreshing)
                    refusal = self._refusal(tenant)
            if refusal is not None:
                raise refusal
        for tally in (self._flying, self._unseen, self._unseen_next):
            tally.add(tenant)

    @property
    def _fresh(self) -> float:
        return _FRESH if self._look is None else max(_FRESH, self._look.took * _SHARE)

    def _older_than(self, seconds: float) -> bool:
        """Whether it is time to look again."""
        now = self._monotonic()
        return now >= self._not_before and (self._look is None or now - self._look.begun > seconds)

    def _refresh(self) -> "asyncio.Task[None]":
        """The look that is being taken, or one that begins now."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._take_look())
            self._looking.add_done_callback(_heard)
        return self._looking

    async def _take_look(self) -> None:
        begun = self._monotonic()
        self._not_before = begun + _FRESH
        # What is being written now may or may not be seen: it counts as if it were not.
        self._flying = self._flying.copy()  # without the tenants of which there is nothing any more
        self._unseen_next = self._flying.copy()
        started, self._started = self._started, _Tally()
        backlog = await self._services.store.claims.backlog()
        age = 0.0 if backlog.oldest is None else max(0.0, self._services.clock.now() - backlog.oldest)
        self._before, self._between = self._look, started
        self._look = _Look(backlog, begun, self._monotonic() - begun, age)
        self._unseen = self._unseen_next.copy()
        self._refused.clear()

    def _refusal(self, tenant: str) -> Overloaded | None:
        """Which limit has been reached."""
        look, settings = self._look, self._services.settings
        if look is None:
            return None
        for limit, bound, seen, whose, owner in (
            ("max_ready", settings.max_ready, look.backlog.ready, "", ""),
            (
                "max_ready_tenant",
                settings.max_ready_tenant,
                look.backlog.tenants.get(tenant, 0),
                f" of {tenant}",
                tenant,
            ),
        ):
            ready = seen + (self._unseen.by[owner] if owner else self._unseen.total)
            if ready >= bound:
                after = self._come_back(owner, ready - bound + 1, seen - bound)
                why = f"{ready:,} runs{whose} are ready and not yet claimed, the limit is {bound:,}"
                return _overloaded(limit, ready, after, why)
        if settings.max_ready_age is not None and look.age > settings.max_ready_age:
            why = f"a run has been ready for {look.age:,.0f} s, the limit is {settings.max_ready_age:,.0f} s"
            after = min(_LATEST, max(_SOONEST, look.age - settings.max_ready_age))
            return _overloaded("max_ready_age", look.age, after, why)
        return None

    def _come_back(self, tenant: str, excess: int, seen: int) -> float:
        """When there is room again for one. `excess` have to leave first; `seen`: how many more than the limit the
        last look found, below 0 if there was room.

        Everybody who is refused on one look gets a later turn than the one before, so that they do not all
        come back at once. How long a turn takes is told by how many left the queue between two looks, and by
        how long the oldest of so many has waited; the shorter is taken, because a queue that was short for a
        while says little. If nothing left it, it stands still, and whoever waits longest says for how long.
        """
        look, before = self._look, self._before
        assert look is not None
        self._refused[tenant] += 1
        if seen < 0:
            return _SOONEST  # there was room: nobody knows yet how fast what came since will be worked off
        seconds = look.age
        if before is not None and (left := self._left(tenant, before.backlog, look.backlog)) > 0:
            ready = look.backlog.tenants.get(tenant, 0) if tenant else look.backlog.ready
            turn = min((look.begun - before.begun) / left, look.age / max(1, ready))
            seconds = turn * (excess + self._refused[tenant] - 1)
        return round(min(_LATEST, max(_SOONEST, seconds)), 1)

    def _left(self, tenant: str, then: Backlog, now: Backlog) -> int:
        """How many runs left the queue between the last two looks, of a tenant or, if it is empty, of all."""
        if tenant:
            return then.tenants.get(tenant, 0) + self._between.by[tenant] - now.tenants.get(tenant, 0)
        return then.ready + self._between.total - now.ready


def _overloaded(limit: str, value: float, after: float, why: str) -> Overloaded:
    return Overloaded(
        "too many runs are waiting to be executed",
        limit=limit,
        value=value,
        retry_after=after,
        why=why,
        remedy=f"try again in {after:.0f} s; add workers, or raise {limit}, if this lasts",
    )


def _heard(looking: "asyncio.Task[None]") -> None:
    if not looking.cancelled():
        looking.exception()  # whoever waits for it is told; if nobody does, the next look will show it again
