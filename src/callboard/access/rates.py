"""How much may come through a door: requests of a principal, of a tenant, to a route, and starts of a tenant."""

import asyncio
import math
from collections.abc import Callable

import msgspec

from callboard.domain.errors import RateLimited
from callboard.domain.principal import EVERY, Principal
from callboard.domain.verdict import Ruling
from callboard.policy.access import Action, permits
from callboard.resilience.counters import Counters
from callboard.settings import GatewaySettings

_BURST = 2.0  # seconds of a rate that may come at once
_SHARE = 20  # a process takes a twentieth of a second's rate at a time, and asks the shared counters as often
_KEPT = 1.0  # seconds after which what it took and did not use is given up
_MOST = 10_000  # rates that are remembered
_WHO, _TENANT, _ROUTE, _STARTS = range(4)  # whose they are


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What there is left of the rate that is nearest to its end, as far as this process knows.

    Attributes:
        limit: how many may come in `window` seconds; 0 for no limit.
        remaining: how many more may come now.
        reset: seconds until all of it is there again.
        window: seconds.
    """

    limit: int = 0
    remaining: int = 0
    reset: float = 0.0
    window: int = 0

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them; none where there is no limit."""
        if not self.limit:
            return {}
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(math.ceil(self.reset)),
            "RateLimit-Policy": f"{self.limit};w={self.window}",
        }


NO_LIMIT = Allowance()


class TooMany(RateLimited):
    """More came than may. `allowance` says of what, `retry_after` when to come back."""

    def __init__(self, what: str, allowance: Allowance, retry_after: float) -> None:
        super().__init__(what, retry_after=retry_after, remedy=f"try again in {max(1, math.ceil(retry_after))} s")
        self.allowance = allowance

    def headers(self) -> dict[str, str]:
        """Those of the allowance, and when to come back."""
        return self.allowance.headers() | {"Retry-After": str(max(1, math.ceil(self.retry_after)))}


class Rates:
    """Counts what comes, over all processes.

    Each takes a little more of a rate than it needs at once, so that most requests ask nobody: what is granted is exact
    over all processes, and what one of them has taken may lie unused there for a second.
    """

    def __init__(self, counters: Counters, settings: GatewaySettings, clock: Callable[[], float]) -> None:
        self._counters = counters
        self._settings = settings
        self._routes = settings.routes
        self._clock = clock
        self._rates: dict[tuple[str, float], _Rate] = {}

    async def take(
        self, principal: Principal, tenant: str, starts: int = 0, requests: int = 1, route: str = ""
    ) -> Allowance:
        """Counts requests, one by default, to a route, and starts.

        Raises TooMany; what was counted before the limit that refused it stays counted.
        """
        settings = self._settings
        # Nobody uses up what belongs to a tenant in which they have no business, or starts that they may not make.
        if not any(grant.tenant in (EVERY, tenant) for grant in principal.grants):
            tenant, starts = principal.tenant, 0
        elif permits(principal, Action.RUNS_START, tenant).ruling is not Ruling.ALLOW:
            starts = 0
        least = NO_LIMIT
        for limit, cost, kind in (
            (settings.limit, requests, _WHO),
            (settings.tenant_limit, requests, _TENANT),
            (self._routes.get(route, 0.0), requests, _ROUTE),
            (settings.start_limit, starts, _STARTS),
        ):
            if limit > 0 and cost > 0:
                name, what = _named(kind, principal, tenant, route)
                found = await self._rate(name, limit).take(cost, what)
                if not least.limit or found.remaining < least.remaining:
                    least = found
        return least

    def _rate(self, name: str, limit: float) -> "_Rate":
        key = (name, limit)
        rate = self._rates.pop(key, None)
        if rate is None:
            rate = _Rate(self._counters, name, limit, self._clock)
            while len(self._rates) >= _MOST:
                del self._rates[next(iter(self._rates))]
        self._rates[key] = rate
        return rate


def _named(kind: int, principal: Principal, tenant: str, route: str) -> tuple[str, str]:
    """Under which name a rate is counted, and what it is one of."""
    if kind == _WHO:
        return f"door:{principal.who}", f"requests of {principal.name}"
    if kind == _TENANT:
        return f"door:tenant:{tenant}", f"requests of tenant {tenant}"
    if kind == _ROUTE:
        return f"door:route:{tenant}:{route}", f"requests of {tenant} to {route}"
    return f"door:starts:{tenant}", f"starts of tenant {tenant}"


class _Rate:
    """One rate as this process knows it: what it has in hand, and an estimate of what is left at the shared place."""

    __slots__ = (
        *("_asked", "_clock", "_counters", "_hand", "_left", "_name", "_refused", "_seen", "_size", "_took", "_unit"),
        "limit",
    )

    def __init__(self, counters: Counters, name: str, limit: float, clock: Callable[[], float]) -> None:
        self._counters = counters
        self._name = name
        self._clock = clock
        self.limit = limit
        self._size = max(1.0, limit * _BURST)
        self._unit = max(1.0, math.floor(limit / _SHARE))
        self._hand = 0.0
        self._took = 0.0
        self._refused = (0.0, 0.0)  # so much is not to be had before that time
        self._left = self._size
        self._seen = clock()
        self._asked: asyncio.Future[float] | None = None  # done when the answer is there that is waited for

    async def take(self, cost: int, what: str) -> Allowance:
        """Counts `cost`. Raises TooMany."""
        while not self._from_hand(cost):
            self._recall(cost, what)
            if self._asked is None:
                self._asked = asked = asyncio.get_running_loop().create_future()
                missing = 0.0
                try:
                    missing = await self._fetch(cost, what)
                    break
                finally:
                    self._asked = None
                    asked.set_result(missing)
            # Who waits for the answer looks at it as soon as it is there, not one after the other as with a lock. Where
            # it brought all that there was, there is no more to wait for: nobody queues for a rate.
            missing = await asyncio.shield(self._asked)
            if missing and self._hand < cost:
                raise self._too_many(what, missing)
        return self._allowance()

    def _recall(self, cost: int, what: str) -> None:
        """Refuses what was refused a moment ago, without asking again: who comes too often must not cost a query each
        time."""
        least, until = self._refused
        wait = until - self._clock()
        if wait > 0 and cost - self._hand >= least:
            raise self._too_many(what, wait)

    def _from_hand(self, cost: int) -> bool:
        now = self._clock()
        if now - self._took > _KEPT:
            self._hand = 0.0
        if self._hand < cost:
            return False
        self._hand -= cost
        return True

    async def _fetch(self, cost: int, what: str) -> float:
        """Gets what is needed, and a little more; seconds until there would have been that, if there is no more now."""
        need = cost - self._hand
        asked = max(need, self._unit)
        wait = missing = await self._ask(asked)
        if wait and asked > need:  # not so much is left: the wait says how much is
            asked = max(need, math.floor(asked - wait * self.limit))
            wait = await self._ask(asked)
        if wait and asked > need:  # somebody else has taken of it meanwhile
            asked = need
            wait = await self._ask(asked)
        if wait:
            self._left = 0.0
            self._refused = (need, self._clock() + wait)
            raise self._too_many(what, wait)
        self._hand += asked - cost
        self._took = self._clock()
        return missing

    def _too_many(self, what: str, wait: float) -> TooMany:
        why = f"too many {what}: {self.limit:g} a second may come, and {self._size:g} at once"
        return TooMany(why, self._allowance(), min(wait, 3_600.0))

    async def _ask(self, asked: float) -> float:
        wait = await self._counters.take(self._name, asked, self._size, self._size / self.limit)
        now = self._clock()
        self._left = min(self._size, self._left + (now - self._seen) * self.limit)
        self._seen = now
        if not wait:
            self._left = max(0.0, self._left - asked)
        return wait

    def _allowance(self) -> Allowance:
        now = self._clock()
        left = min(self._size, self._left + (now - self._seen) * self.limit + self._hand)
        return Allowance(
            limit=int(self._size),
            remaining=int(left),
            reset=(self._size - left) / self.limit,
            window=max(1, math.ceil(self._size / self.limit)),
        )
