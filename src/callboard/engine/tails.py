"""Follows the journals of many runs at once: one look into the store for all of them.

Who follows reads in its own pace: nothing is read for one that has not taken what it has, so that a slow reader costs
no memory. A worker of this process says at once which journals have grown, the bell says which runs have ended, and
every tenth of a second all that are followed are looked at, since other processes say nothing of single events.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence

from callboard.connections.backoff import Backoff
from callboard.dispatch.bell import Bell, Hint, News
from callboard.domain.errors import StoreError
from callboard.domain.event import Event
from callboard.store.store import Store

_LOOK = 0.1  # seconds between two looks at all journals that are followed
_PAGE, _FIRST = 1_000, 10  # events read at a time of what was there before, at most and at first
_HEAVY = 1024 * 1024  # bytes: where a page has more than that, the next one has fewer events
_EACH = 200  # events of one run in one look
_RUNS = 500  # runs in one look
_log = logging.getLogger("callboard.tails")


class Tail:
    """One follower of one run; `Tails.follow` makes it. `after` is the last event that it was handed."""

    def __init__(self, tails: "Tails", store: Store, tenant: str, run_id: str, after: int) -> None:
        self.tenant = tenant
        self.run_id = run_id
        self.after = after
        self.behind = False  # there may be more than it has been handed
        self._tails = tails
        self._store = store
        self._events: list[Event] = []
        self._filled = asyncio.Event()
        self._past = True  # what was there before it came is still to be read
        self._page = _FIRST

    @property
    def hungry(self) -> bool:
        """Whether it has taken what it was handed."""
        return not self._past and not self._events

    def give(self, events: Sequence[Event]) -> None:
        """Hands over what is new to it, if it is hungry."""
        fresh = [event for event in events if event.seq > self.after]
        if fresh and self.hungry:
            self._events = fresh
            self.after = fresh[-1].seq
            self._filled.set()

    async def next(self, timeout: float | None = None) -> list[Event]:
        """The next events, in order and each once, as many as there are; empty after `timeout` seconds without one.

        Raises NotFound when the tenant has no such run; StoreError while what is already there cannot be read: later
        failures are waited out.
        """
        if self._past and not self._events:
            history = await self._store.journal.read(self.tenant, self.run_id, after=self.after, limit=self._page)
            self._past = len(history) == self._page
            heavy = sum(len(event.body) for event in history) > _HEAVY
            self._page = max(1, self._page // 8) if heavy else min(self._page * 2, _PAGE)
            if history:
                self.after = history[-1].seq
            if not self._past:
                self._tails.grown(self.run_id)  # it may have grown since
            if history:
                return history
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._filled.wait()
        events, self._events = self._events, []
        self._filled.clear()
        if self.behind:
            self.behind = False
            self._tails.grown(self.run_id)
        return events

    def look_again(self) -> None:
        """The next `next` asks the store itself: it hands over all that was committed by now."""
        self._past = True


class Tails:
    """All followers of a process. It does nothing while there are none.

    Attributes:
        followed: who follows, by run.
    """

    def __init__(self) -> None:
        self.followed: dict[str, set[Tail]] = {}
        self._grown: set[str] = set()  # runs whose journals have grown, as somebody says
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._store: Store | None = None

    def open(self, store: Store, bell: Bell) -> None:
        """Begins to look."""
        self._store = store
        bell.listen(self._hear)
        self._task = asyncio.get_running_loop().create_task(self._look_forever())

    async def close(self) -> None:
        """Ends it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def grown(self, run_id: str) -> None:
        """The journal of that run has grown: it is looked at in this turn of the loop."""
        if run_id in self.followed:
            self._grown.add(run_id)
            self._asked.set()

    @contextlib.contextmanager
    def follow(self, tenant: str, run_id: str, after: int = -1) -> Iterator[Tail]:
        """A follower of the run's events, from the one after `after` on."""
        assert self._store is not None, "the runtime is open"
        tail = Tail(self, self._store, tenant, run_id, after)
        self.followed.setdefault(run_id, set()).add(tail)
        try:
            yield tail
        finally:
            tails = self.followed[run_id]
            tails.discard(tail)
            if not tails:
                del self.followed[run_id]

    def _hear(self, hints: Sequence[Hint]) -> None:
        for hint in hints:
            if hint.run_id in self.followed and hint.news is News.ENDED:
                self.grown(hint.run_id)

    async def _look_forever(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + _LOOK
        backoff = Backoff()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due if self.followed else None):
                    await self._asked.wait()
            grown, self._grown = self._grown, set()
            self._asked.clear()
            if loop.time() >= due:
                due = loop.time() + _LOOK
                grown = set(self.followed)
            try:
                await self._look(grown)
                backoff.reset()
            except StoreError as error:
                _log.warning("journals cannot be followed for now: %s", error)
                await asyncio.sleep(backoff.pause())

    async def _look(self, run_ids: Iterable[str]) -> None:
        by_tenant: dict[str, dict[str, int]] = {}
        for run_id in run_ids:
            for tail in self.followed.get(run_id, ()):
                if tail.hungry:
                    wanted = by_tenant.setdefault(tail.tenant, {})
                    wanted[run_id] = min(wanted.get(run_id, tail.after), tail.after)
                else:
                    tail.behind = True
        for tenant, wanted in by_tenant.items():
            ids = list(wanted)
            for first in range(0, len(ids), _RUNS):
                await self._read(tenant, {each: wanted[each] for each in ids[first : first + _RUNS]})

    async def _read(self, tenant: str, after: dict[str, int]) -> None:
        assert self._store is not None
        found = await self._store.journal.news(tenant, after, _EACH)
        for run_id, events in found.items():
            for tail in self.followed.get(run_id, ()):
                if tail.tenant == tenant:
                    tail.behind = tail.behind or len(events) == _EACH
                    tail.give(events)
