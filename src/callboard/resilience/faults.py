"""Faults to order: decides for each call of an upstream whether it goes wrong, and keeps count."""

import asyncio
import os
import random
import signal
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from callboard.resilience.fault_rules import FaultKind, FaultRule, read_rules

__all__ = ["DISPATCH", "Fault", "FaultKind", "FaultRule", "Faults", "Tally", "read_rules"]

DISPATCH = "dispatch"
"""What rules call the bell that wakes workers."""

_COPIES = {FaultKind.DUPLICATE: 2, FaultKind.CUT: 0}
_KEPT = 100_000  # strikes that are remembered


def _die() -> None:
    """What a fault that kills does where nobody says otherwise: no clean-up, no last word."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(slots=True)
class Fault:
    """One fault that strikes one call.

    Attributes:
        kind: what goes wrong.
        upstream: where.
        rule: the number of the rule that ordered it, from 0.
        seconds, after, retry_after: as the rule says.
        number: counts the strikes from 1.
        at: when, by the clock of the faults.
        target: the tool or model that was called.
        key: the call's idempotency key, by which its journal is found; filled in where the fault is applied.
        applied: whether this kind means anything for what it struck.
    """

    kind: FaultKind
    upstream: str
    rule: int = 0
    seconds: float | None = None
    after: int = 0
    retry_after: float | None = None
    number: int = 0
    at: float = 0.0
    target: str = ""
    key: str | None = None
    applied: bool = False
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    killer: Callable[[], object] = _die

    def hits(self, target: str, key: str | None) -> None:
        """Notes what it strikes."""
        self.target, self.key, self.applied = self.target or target, key, True

    async def hang(self) -> None:
        """Lasts until the caller's time limit cancels it, or for so long that the caller's client gives up.

        Raises TimeoutError in the latter case.
        """
        if self.seconds is None:
            await asyncio.Event().wait()
        await self.sleep(self.seconds or 0.0)
        raise TimeoutError(f"no answer (fault {self.number})")

    async def lag(self) -> None:
        """Waits as long as a slow answer does."""
        await self.sleep(self.seconds or 0.0)

    async def kill(self) -> None:
        """Ends the process, and with it the call: this never returns."""
        self.killer()
        await asyncio.Event().wait()


@dataclass(slots=True)
class Tally:
    """What a rule saw and did: calls that fit it, and those that it struck."""

    rule: FaultRule
    seen: int = 0
    struck: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, target: str) -> int:
        """Counts a call; which one it is among those that are counted together."""
        self.seen += 1
        place = target if self.rule.each else ""
        self.counts[place] = number = self.counts.get(place, 0) + 1
        return number


class Faults:
    """Decides which calls go wrong. Any number of tasks and threads may ask.

    Args:
        rules: the first one that says so strikes; each counts every call that fits it.
        chance: seeded, it makes probabilities come out alike again: each rule draws once for each call that fits.
        now: seconds, for rules that act for a time; the machine's monotonic time by default.
        sleep: how slow and hanging calls wait.
        killer: what ends the process; SIGKILL to itself by default.
    """

    def __init__(
        self,
        rules: Sequence[FaultRule] = (),
        *,
        chance: random.Random | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        killer: Callable[[], object] = _die,
    ) -> None:
        chance = random.Random() if chance is None else chance  # noqa: S311
        self._now = now
        self._sleep = sleep
        self._killer = killer
        self._begun = now()
        self._chances = [random.Random(chance.getrandbits(64)) for _ in rules]  # noqa: S311
        self._lock = threading.Lock()
        self.tallies = [Tally(rule) for rule in rules]
        self.struck: deque[Fault] = deque(maxlen=_KEPT)
        self._number = 0

    def strike(self, upstream: str, target: str = "") -> Fault | None:
        """The fault that strikes this call of an upstream, if one does; asked once for each call.

        `target` is the tool or model that is called. Rules for certain targets do not fit a call without one.
        """
        return self._strike(upstream, target, None) if self.tallies else None

    def copies(self) -> int:
        """How often a hint to workers is delivered: once, twice, or not at all if the connection is cut."""
        fault = self._strike(DISPATCH, DISPATCH, _COPIES) if self.tallies else None
        if fault is None:
            return 1
        fault.hits(DISPATCH, None)
        return _COPIES[fault.kind]

    def _strike(self, upstream: str, target: str, kinds: Container[FaultKind] | None) -> Fault | None:
        with self._lock:
            since = self._now() - self._begun
            found = None
            for number, tally in enumerate(self.tallies):
                if kinds is not None and tally.rule.kind not in kinds:
                    continue
                if _fits(tally.rule, upstream, target, since) and self._wants(number, target) and found is None:
                    found = number
            return None if found is None else self._struck(found, upstream, target)

    def _wants(self, number: int, target: str) -> bool:
        """Counts the call, and says whether the rule strikes it."""
        tally = self.tallies[number]
        rule, count = tally.rule, tally.count(target)
        # Drawn also past the limit, so that a limit changes nothing of what comes before it.
        lucky = rule.probability is None or self._chances[number].random() < rule.probability
        if rule.limit is not None and tally.struck >= rule.limit:
            return False
        if rule.nth is not None:
            return count in rule.wanted
        if rule.every is not None:
            return count % rule.every == 0
        return lucky

    def _struck(self, number: int, upstream: str, target: str) -> Fault:
        tally = self.tallies[number]
        tally.struck += 1
        self._number += 1
        rule = tally.rule
        fault = Fault(
            rule.kind,
            upstream,
            rule=number,
            seconds=rule.seconds,
            after=rule.after,
            retry_after=rule.retry_after,
            number=self._number,
            at=self._now(),
            target=target,
            sleep=self._sleep,
            killer=self._killer,
        )
        self.struck.append(fault)
        return fault


def _fits(rule: FaultRule, upstream: str, target: str, since: float) -> bool:
    return (
        rule.begin <= since
        and (rule.duration is None or since < rule.begin + rule.duration)
        and fnmatchcase(upstream, rule.upstream)
        and (rule.target == "*" or fnmatchcase(target, rule.target))
    )
