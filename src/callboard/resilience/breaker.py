"""Leaves an upstream alone that keeps failing, in all processes at once.

                  `failures` within `window`                  `open_for` seconds later
    closed ────────────────────────────────► open ─────────────────────────────► half open
      ▲                                       ▲                                      │
      │                                       └──────────── the probe fails ─────────┤
      └──────────────────────────────────────────────────── the probe succeeds ──────┘

What is stored is open or closed, as a versioned value; its age, by the clock of the place where it is stored, makes
it half open. Nothing is written while calls succeed.
"""

import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from enum import StrEnum

import msgspec

from callboard.domain.errors import BreakerOpen, StoreError, TryLater
from callboard.domain.words import words
from callboard.resilience.counters import Counters

_log = logging.getLogger("callboard.resilience")
_WHY = 200  # characters of the last failure that the state keeps


class BreakerRules(msgspec.Struct, frozen=True):
    """When a breaker opens, and for how long.

    Attributes:
        failures: so many open it,
        window: if they come within so many seconds.
        open_for: seconds until one call is let through to see.
        probe: seconds that this call may take; after them another one may try. Longer than its time limit.
    """

    failures: int = 5
    window: float = 60.0
    open_for: float = 30.0
    probe: float = 120.0


class Phase(StrEnum):
    """What a breaker does with a call: let it through, refuse it, let one through to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerState(msgspec.Struct, frozen=True):
    """What is stored: whether it was opened, and by which failure."""

    open: bool = False
    why: str = ""


def phase(state: BreakerState, age: float, rules: BreakerRules) -> Phase:
    """What a state means `age` seconds after it was written."""
    if not state.open:
        return Phase.CLOSED
    return Phase.OPEN if age < rules.open_for else Phase.HALF_OPEN


def judged(error: BaseException) -> bool | None:
    """Whether an exception says that the upstream failed: True, False (it answered), None (it says nothing).

    Every Exception is a failure but TryLater; what ends tasks says nothing. Callers who can tell a bad request
    from a bad upstream bring a judge of their own.
    """
    return True if isinstance(error, Exception) and not isinstance(error, TryLater) else None


class Breaker:
    """The breaker of one upstream, the same one in every process that uses its name.

    Args:
        counters: where it is kept; see `callboard.resilience.fallback` for what to do without them.
        name: which upstream, with its tenant in front if it is a tenant's.
        rules: when it opens.
        judge: what an exception says about the upstream, see `judged`.
        new_holder: makes a name for a probe, no two alike in all processes.
        keep: seconds for which what was read is taken to be still so, to spare most calls a round trip. Somebody
            else's opening is heard of so much later; a probe always looks anew.
        clock: seconds that pass, for `keep`.
    """

    def __init__(
        self,
        counters: Counters,
        name: str,
        rules: BreakerRules = BreakerRules(),  # noqa: B008, it is frozen
        *,
        judge: Callable[[BaseException], bool | None] = judged,
        new_holder: Callable[[], str] = lambda: os.urandom(10).hex(),
        keep: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counters = counters
        self._name = name
        self._rules = rules
        self._judge = judge
        self._new_holder = new_holder
        self._keep = keep
        self._clock = clock
        self._kept: tuple[float, int, BreakerState, float] | None = None  # read at, and what was read
        self._heard = (clock(), BreakerState(), 0.0)  # the same for those who only want to know

    async def look(self) -> tuple[Phase, BreakerState, float]:
        """Its phase, what is stored and for how many seconds that has been so. Raises StoreUnavailable."""
        _, state, age = await self._read()
        return phase(state, age, self._rules), state, age

    def known(self) -> Phase:
        """Its phase by what was read or written here last; nobody is asked."""
        at, state, age = self._heard
        return phase(state, age + max(0.0, self._clock() - at), self._rules)

    async def failures(self) -> int:
        """How many failures there were within the window. Raises StoreUnavailable."""
        return await self._counters.count(self._failures, self._rules.window)

    async def reset(self) -> None:
        """Closes it by hand. Raises StoreUnavailable."""
        for name in (self._failures, self._probe, self._name):
            await self._counters.forget(name)
        self._kept, self._heard = None, (self._clock(), BreakerState(), 0.0)

    @contextlib.asynccontextmanager
    async def guard(self) -> AsyncIterator[bool]:
        """Around a call: refuses it, or lets it through and learns from how it ends. True for the one that is let
        through to see whether the upstream answers again.

        Raises BreakerOpen instead of entering the block, StoreUnavailable if the counters are away by then.
        """
        version, probe = await self._admitted()
        try:
            yield bool(probe)
        except BaseException as error:
            failed = self._judge(error)
            with _harmless():
                if failed:
                    await self._failed(version, probe, error)
                elif failed is False and probe:
                    await self._close(version)
            raise
        else:
            if probe:
                with _harmless():
                    await self._close(version)
        finally:
            if probe:
                with _harmless():
                    await self._counters.leave(self._probe, probe)

    @property
    def _failures(self) -> str:
        return f"{self._name}:failures"

    @property
    def _probe(self) -> str:
        return f"{self._name}:probe"

    async def _admitted(self) -> tuple[int, str]:
        """The version under which the call is made, and the name of its probe if it is one."""
        version, state, age = self._recent() or await self._read()
        now = phase(state, age, self._rules)
        if now is Phase.CLOSED:
            return version, ""
        if now is Phase.OPEN:
            raise self._refusal(state, self._rules.open_for - age)
        probe = self._new_holder()
        entered = await self._counters.enter(self._probe, probe, 1, self._rules.probe)
        if not entered:
            raise self._refusal(state, 1.0)  # the probe may be over soon
        try:
            if (await self._read())[0] == version:
                return version, probe
        except BaseException:
            await self._let_go(probe)
            raise
        await self._let_go(probe)  # another probe came and went between the two: what it found counts
        return await self._admitted()

    async def _failed(self, version: int, probe: str, error: BaseException) -> None:
        failures = await self._counters.add(self._failures, 1, self._rules.window)
        if probe or failures >= self._rules.failures:
            why = words(error)[:_WHY]
            # Refused if the state has moved on since this call began: an old failure opens nothing anew.
            if await self._swap(version, BreakerState(open=True, why=why)):
                _log.warning("%s is left alone for %g seconds: %s", self._name, self._rules.open_for, why)

    async def _close(self, version: int) -> None:
        await self._counters.forget(self._failures)  # first, so that it forgets none that come after
        if await self._swap(version, BreakerState()):
            _log.info("%s answers again", self._name)

    async def _swap(self, version: int, state: BreakerState) -> bool:
        swapped = await self._counters.swap(self._name, version, msgspec.json.encode(state))
        self._kept = None
        if swapped:
            self._heard = (self._clock(), state, 0.0)
        return swapped

    def _recent(self) -> tuple[int, BreakerState, float] | None:
        """What was read a moment ago, as old as it has become."""
        if self._kept is None:
            return None
        at, version, state, age = self._kept
        passed = self._clock() - at
        return (version, state, age + passed) if 0 <= passed < self._keep else None

    async def _read(self) -> tuple[int, BreakerState, float]:
        asked = self._clock()
        version, value, age = await self._counters.read(self._name)
        state = msgspec.json.decode(value, type=BreakerState) if value else BreakerState()
        self._heard = (asked, state, age)
        self._kept = (asked, version, state, age) if self._keep else None
        return version, state, age

    async def _let_go(self, probe: str) -> None:
        with _harmless():
            await self._counters.leave(self._probe, probe)

    def _refusal(self, state: BreakerState, retry_after: float) -> BreakerOpen:
        return BreakerOpen(f"{self._name} is left alone", retry_after=retry_after, why=f"it kept failing: {state.why}")


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """What is learnt from a call must not take its result away: others will learn it from theirs."""
    try:
        yield
    except StoreError as error:
        _log.debug("shared breaker: %s", error)
