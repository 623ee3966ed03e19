"""The gate before an upstream: its breaker, its limits and its retries, as its policy says."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec

from callboard.domain.errors import Failure, RateLimited, TryLater
from callboard.domain.words import words
from callboard.resilience.breaker import Breaker, Phase
from callboard.resilience.counters import Counters
from callboard.resilience.faults import Fault, Faults
from callboard.resilience.latency import Latency
from callboard.resilience.limiter import Concurrency, Limiter, Permit
from callboard.resilience.look import Look, Seen
from callboard.resilience.retry_budget import RetryBudget
from callboard.resilience.upstream import Upstream
from callboard.resilience.verdict import made, verdict

KEEP = 0.25  # seconds for which a breaker that was read in the shared counters is taken to be still so
_SAID = 200  # characters of the last failure that are kept


class Pass:
    """The right to make one call. `fault` is what has been ordered to go wrong with it; `probe` says that the breaker
    is half open, and lets this one through to see."""

    __slots__ = ("_latency", "fault", "probe", "used")

    def __init__(self, fault: Fault | None, latency: Latency, probe: bool = False) -> None:
        self.fault = fault
        self.probe = probe
        self.used: float | None = None
        self._latency = latency

    def first(self, seconds: float) -> None:
        """Says how long the first piece of a stream took."""
        self._latency.add(seconds)

    def settle(self, tokens: float) -> None:
        """Says how many tokens the call really took. Without it, those that were announced count."""
        self.used = tokens


class Gate:
    """The gate of one upstream: breaker first, then requests, tokens and places, all counted under `upstream:NAME`.

    Args:
        upstream: the policy.
        counters: where it is counted, for all processes.
        faults: what has been ordered to go wrong.
        declared: whether the policy is somebody's decision.
        clock: seconds that pass, as breakers and retries see them.
        sleep: waits for so many seconds.
        monotonic: the seconds that pass while somebody sleeps: those of patience.

    Attributes:
        upstream: the policy.
        declared: as above.
        limited: whether a call may have to wait its turn here.
    """

    def __init__(
        self,
        upstream: Upstream,
        counters: Counters,
        faults: Faults | None = None,
        *,
        declared: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.upstream = upstream
        self.declared = declared
        self._latency = Latency()
        self._name = f"upstream:{upstream.name}"
        self._counters = counters
        self._faults = faults
        self._clock = clock
        self._monotonic = monotonic
        self._budget = RetryBudget(upstream.retry_share, clock=clock)
        self._breaker = (
            None
            if upstream.breaker is None
            else Breaker(counters, self._name, upstream.breaker, judge=verdict, keep=KEEP, clock=clock)
        )
        self._requests, self._tokens, self._places = self._limiters(sleep)
        self.limited = any((self._requests, self._tokens, self._places))
        self._inside = self._calls = self._failures = self._refused = 0
        self._retries = self._hedges = 0
        self._last = ""
        self._full = (float("-inf"), 0.0)  # when a limit refused a call, and for how long it was to do so

    @contextlib.asynccontextmanager
    async def enter(
        self, tokens: float = 0.0, *, patience: float | None = None, target: str = ""
    ) -> AsyncIterator[Pass]:
        """Around a call: waits its turn, and learns from how the call ends.

        Args:
            tokens: how many the call may take, on the safe side; `Pass.settle` says how many it took.
            patience: seconds to wait for its turn at most; the policy's by default.
            target: the tool or model that is called, for faults that are meant for it alone.

        Raises BreakerOpen or RateLimited instead of entering the block, InputInvalid for more tokens than the
        limit can ever grant.
        """
        entered = False
        try:
            async with (
                contextlib.nullcontext(False) if self._breaker is None else self._breaker.guard() as probe,
                self._room(tokens, patience) if self.limited else contextlib.nullcontext() as permit,
            ):
                entered = True
                self._calls += 1
                self._inside += 1
                self._budget.call()
                fault = None if self._faults is None else self._faults.strike(self.upstream.name, target)
                taken = Pass(fault, self._latency, probe)
                try:
                    yield taken
                except Failure as failure:
                    if not made(failure):
                        taken.settle(0.0)
                    raise
                finally:
                    self._inside -= 1
                    if permit is not None and taken.used is not None:
                        permit.settle(taken.used)
        except TryLater as later:
            self._refused += not entered
            if not entered and isinstance(later, RateLimited):
                self._full = (self._clock(), later.retry_after)
            raise
        except BaseException as error:
            if verdict(error):
                self._failures += 1
                self._last = words(error)[:_SAID]
            raise

    def may_retry(self) -> bool:
        """Whether another retry stays within the share of retries of this process; counts it if so."""
        granted = self._budget.take()
        self._retries += granted
        return granted

    def may_hedge(self) -> bool:
        """The same for a second call beside a slow one."""
        granted = self._budget.take()
        self._hedges += granted
        return granted

    def seen(self) -> Seen:
        """What this process knows of the upstream without asking anybody."""
        at, wait = self._full
        phase = Phase.CLOSED if self._breaker is None else self._breaker.known()
        return Seen(phase, max(0.0, at + wait - self._clock()), self._latency.value, self._inside)

    async def look(self) -> Look:
        """How the upstream stands. Raises StoreUnavailable if the counters are away."""
        rules = self.upstream.breaker
        found = Look(
            name=self.upstream.name,
            declared=self.declared,
            inside=self._inside,
            calls=self._calls,
            failures=self._failures,
            refused=self._refused,
            retries=self._retries,
            hedges=self._hedges,
            first=self._latency.value,
            last=self._last,
        )
        if rules is None or self._breaker is None:
            return found
        phase, state, age = await self._breaker.look()
        return msgspec.structs.replace(
            found,
            phase=phase,
            why=state.why,
            since=age,
            half_open_in=rules.open_for - age if phase is Phase.OPEN else None,
            recent=await self._breaker.failures(),
        )

    async def reset(self) -> None:
        """Closes the breaker by hand. Raises StoreUnavailable if the counters are away."""
        if self._breaker is not None:
            await self._breaker.reset()

    def _limiters(
        self, sleep: Callable[[float], Awaitable[object]]
    ) -> tuple[Limiter | None, Limiter | None, Limiter | None]:
        policy, named = self.upstream, self._name

        def limiter(what: str, **limit: object) -> Limiter | None:
            if None in limit.values():
                return None
            patience, clock = policy.patience, self._monotonic
            return Limiter(
                self._counters,
                f"{named}:{what}",
                patience=patience,
                clock=clock,
                sleep=sleep,
                **limit,  # type: ignore[arg-type]
            )

        places = None if policy.concurrency is None else Concurrency(policy.concurrency)
        return (
            limiter("requests", rate=policy.requests),
            limiter("tokens", rate=policy.tokens),
            limiter("places", concurrency=places),
        )

    @contextlib.asynccontextmanager
    async def _room(self, tokens: float, patience: float | None) -> AsyncIterator[Permit | None]:
        """Holds what the limits ask for; one patience for all of them."""
        deadline = self._monotonic() + (self.upstream.patience if patience is None else patience)
        permit = None
        async with contextlib.AsyncExitStack() as held:
            if self._requests is not None:
                await held.enter_async_context(self._requests.hold(patience=deadline - self._monotonic()))
            if self._tokens is not None:
                permit = await held.enter_async_context(
                    self._tokens.hold(tokens, patience=deadline - self._monotonic())
                )
            if self._places is not None:
                await held.enter_async_context(self._places.hold(patience=deadline - self._monotonic()))
            yield permit


class Upstreams:
    """All gates of a process, by name.

    Args:
        declared: policies by name.
        counters: where limits and breakers are counted.
        faults: what has been ordered to go wrong.
        clock: seconds that pass.
    """

    def __init__(
        self,
        declared: Mapping[str, Upstream],
        counters: Counters,
        *,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._declared = declared
        self._counters = counters
        self._faults = faults
        self._clock = clock
        self._gates: dict[str, Gate] = {}

    def gate(self, name: str) -> Gate:
        """The gate of an upstream, by its declared policy or else the default one."""
        found = self._gates.get(name)
        if found is None:
            policy = self._declared.get(name)
            found = self._gates[name] = Gate(
                policy or Upstream(name=name),
                self._counters,
                self._faults,
                declared=policy is not None,
                clock=self._clock,
            )
        return found

    def declared(self, name: str) -> bool:
        """Whether somebody decided about this upstream."""
        return name in self._declared

    def all(self) -> list[Gate]:
        """The gates of all upstreams that are declared or were used in this process, by name."""
        return [self.gate(name) for name in sorted({*self._declared, *self._gates})]
