"""Who in a run waits for which letter or time, and letters that nobody waits for yet."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from callboard.domain.codec import decode
from callboard.domain.errors import StoreError
from callboard.domain.suspension import Parked
from callboard.engine.branch import Branch
from callboard.engine.clock import Timer
from callboard.engine.services import Services
from callboard.store.claims import Claim
from callboard.store.letter import CANCEL, Letter


class Waiter:
    """One wait of one branch."""

    __slots__ = ("due", "future", "name", "resolved", "timer")

    def __init__(self, name: str | None, due: float | None) -> None:
        self.name = name
        self.due = due
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.timer: Timer | None = None
        self.resolved = False


class Owner(Protocol):
    """What a mailbox needs of the execution that owns it."""

    claim: Claim
    services: Services
    running: int
    stopping: Parked | None
    parking: asyncio.Task[None] | None

    def cancel(self, reason: str) -> None:
        """The run is cancelled."""
        ...

    def abort(self, error: StoreError) -> Parked:
        """The store failed."""
        ...


class Watch:
    """Something to do when a time has come, whether or not a branch waits for it."""

    __slots__ = ("act", "due", "fired", "timer")

    def __init__(self, due: float, act: Callable[[], object]) -> None:
        self.due = due
        self.act = act
        self.fired = False
        self.timer: Timer | None = None


class Mailbox:
    """A run's letters and waits in memory. `seen` is the inbox counter up to which all letters are here."""

    __slots__ = ("_execution", "_fetching", "_letters", "_poked", "_waiters", "_watches", "seen")

    def __init__(self, execution: Owner, seen: int) -> None:
        self._execution = execution
        self.seen = seen
        self._letters: list[Letter] = []
        self._waiters: list[Waiter] = []
        self._watches: list[Watch] = []
        self._poked = False
        self._fetching: asyncio.Task[None] | None = None

    def take(self, name: str | None) -> Letter | None:
        """The oldest unread letter of that name, no longer unread."""
        if name is not None:
            for i, letter in enumerate(self._letters):
                if letter.name == name:
                    return self._letters.pop(i)
        return None

    def add(self, branch: Branch, name: str | None, due: float | None) -> Waiter:
        """A branch begins to wait."""
        waiter = Waiter(name, due)
        branch.waiter = waiter
        self._waiters.append(waiter)
        if due is not None:
            waiter.timer = self._execution.services.clock.call_at(due, self.catch_up)
        return waiter

    def remove(self, branch: Branch, waiter: Waiter) -> None:
        """A branch has stopped waiting."""
        branch.waiter = None
        self._waiters.remove(waiter)
        if waiter.timer is not None:
            waiter.timer.cancel()

    def watch(self, due: float, act: Callable[[], object]) -> Watch:
        """Acts once when the time has come; the run wakes for it."""
        watch = Watch(due, act)
        self._watches.append(watch)
        watch.timer = self._execution.services.clock.call_at(due, self.catch_up)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Forgets it."""
        self._watches.remove(watch)
        if watch.timer is not None:
            watch.timer.cancel()

    def resolve(self, waiter: Waiter, result: Any) -> None:
        """Ends a wait with a letter, None (the time has come) or an exception; its branch moves again."""
        if waiter.resolved or waiter.future.done():
            return
        waiter.resolved = True
        self._execution.running += 1
        if isinstance(result, BaseException):
            waiter.future.set_exception(result)
        else:
            waiter.future.set_result(result)

    def next_due(self) -> float | None:
        """The earliest time that anybody waits for."""
        dues = [w.due for w in self._waiters if w.due is not None]
        return min([*dues, *(w.due for w in self._watches if not w.fired)], default=None)

    def receive(self, letters: list[Letter]) -> None:
        """Hands letters to those who wait for them, keeps the others."""
        for letter in letters:
            self.seen = max(self.seen, letter.seq)
            if letter.name == CANCEL:
                self._execution.cancel(str(decode(letter.body)))
                continue
            waiter = next((w for w in self._waiters if w.name == letter.name and not w.resolved), None)
            if waiter is None:
                self._letters.append(letter)
            else:
                self.resolve(waiter, letter)

    def poke(self) -> None:
        """Something may have come: look, unless the run is parking, which looks by itself."""
        self._poked = True
        self.catch_up()

    def catch_up(self) -> None:
        """Does what had to wait while the run was parking."""
        execution = self._execution
        if execution.parking is not None or execution.stopping is not None:
            return
        self.ring_due()
        if self._poked and self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetch_poked())

    def ring_due(self) -> None:
        """Ends the waits whose time has come."""
        now = self._execution.services.clock.now()
        for waiter in [w for w in self._waiters if w.due is not None and w.due <= now]:
            self.resolve(waiter, None)
        for watch in [w for w in self._watches if w.due <= now and not w.fired]:
            watch.fired = True
            watch.act()

    async def fetch(self) -> None:
        """Reads letters that have come since."""
        execution = self._execution
        seen, letters = await execution.services.store.inbox.read(execution.claim, self.seen)
        self._poked = False
        self.receive([x for x in letters if x.seq > self.seen])
        self.seen = max(seen, self.seen)

    async def _fetch_poked(self) -> None:
        try:
            while self._poked and self._execution.stopping is None and self._execution.parking is None:
                await self.fetch()
        except StoreError as error:
            self._execution.abort(error)
        finally:
            self._fetching = None
