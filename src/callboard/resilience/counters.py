"""Counters that many processes share: rates, leased places, small versioned values, failures in a window.

A name is any text, such as `upstream:shop`; whoever calls puts a tenant in front of it. The four kinds do
not touch each other: one name may have a rate, places, a value and a window. The clock is that of the place
where the counters live (database, Redis), never the caller's. Two times are compared by their distance, so
that a clock which is set back costs one period, window or lease and never more.

What is here is not durable: a place that loses its counters begins with full rates, free places, no values
and empty windows. Money is not counted here.
"""

from collections.abc import Sequence
from typing import Protocol


class Counters(Protocol):
    """Every method is atomic over all processes. Raises StoreUnavailable while the shared place is away."""

    async def take(self, name: str, cost: float, limit: float, period: float) -> float:
        """Takes `cost` units of a rate of `limit` units in `period` seconds.

        A bucket of `limit` units that fills evenly: a full one can be emptied at once.

        Returns:
            0.0 if it was granted and counted; else nothing was counted, and it is the seconds until it would
            be granted if nobody else took. `math.inf` if the cost is above the limit.
        """
        ...

    async def take_all(self, name: str, costs: Sequence[float], limit: float, period: float) -> list[float]:
        """Like `take` for several callers who came in this order, in one round trip.

        Who cannot be granted stands in front of those behind: the first refusal refuses the rest, each with
        the time at which its own turn would come. A cost above the limit stands in nobody's way.
        """
        ...

    async def give_back(self, name: str, cost: float, limit: float, period: float) -> None:
        """Returns what was taken and not used. A negative cost takes more without asking, into debt.

        A debt ends at one more `limit`, so that one wrong estimate does not stop a rate for hours.
        """
        ...

    async def enter(self, name: str, holder: str, limit: int, lease: float) -> bool:
        """Takes one of `limit` places for `lease` seconds, or renews it for the same holder. False: none is free.

        A holder that did not renew in time has lost its place and must find a free one like anybody else. All
        who use a name bring the same lease: who asks judges the others by it.
        """
        ...

    async def leave(self, name: str, holder: str) -> None:
        """Gives a place back; one that is not held is no error."""
        ...

    async def read(self, name: str) -> tuple[int, bytes, float]:
        """A value: its version, its JSON bytes, the seconds since it was written; `(0, b"", 0.0)` if there is none."""
        ...

    async def swap(self, name: str, version: int, value: bytes) -> bool:
        """Writes a value if it still has this version, 0 for none. Versions grow, also over a `forget`."""
        ...

    async def add(self, name: str, n: int, window: float) -> int:
        """Counts `n` more and returns how many there were within the last `window` seconds.

        Exact to a sixtieth of the window, by which something may be forgotten early. All who use a name bring
        the same window.
        """
        ...

    async def count(self, name: str, window: float) -> int:
        """How many were added within the last `window` seconds."""
        ...

    async def forget(self, name: str) -> None:
        """Drops all that is known under a name."""
        ...
