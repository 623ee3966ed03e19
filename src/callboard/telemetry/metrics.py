"""What a process counts. Counting adds to plain numbers; they become text only when somebody asks for it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

_GROUPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)  # ops in a commit
_COMMITS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
_FLOWS = 200  # names of flows that are told apart; a program that makes up flows must not fill the scraper's disk
OTHER = "other"


class Histogram:
    """How often a value fell below each bound.

    Attributes:
        bounds: upper bounds, each included, in rising order.
        counts: how many values fell between a bound and the one before it; the last is for all above.
        total: the sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts a value. From one thread only."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Metrics:
    """The counters of one runtime. Tenants and run ids are no part of them, so they stay few.

    Each number is written by one thread; who reads them meanwhile may be one event behind.

    Attributes:
        started: runs that were started through a door here.
        refused: starts that were refused, by the limit that was reached.
        claimed: runs that were claimed here.
        ended: runs that ended here, by status and flow.
        taken_over: runs that were freed here from workers that were gone.
        dead: runs that were given up here as dead letters.
        budget_warnings: shares of budgets that were found to be used up, by what the budget is about.
        group_size: ops in each commit.
        commit_seconds: how long each commit took.
    """

    def __init__(self) -> None:
        self.started = 0
        self.refused: Counter[str] = Counter()
        self.claimed = 0
        self.ended: Counter[tuple[str, str]] = Counter()
        self.taken_over = 0
        self.dead = 0
        self.budget_warnings: Counter[str] = Counter()
        self.group_size = Histogram(_GROUPS)
        self.commit_seconds = Histogram(_COMMITS)
        self._flows: set[str] = set()

    def group(self, ops: int, seconds: float) -> None:
        """The store has committed so many ops in one transaction that took so long. From one thread only."""
        self.group_size.add(ops)
        self.commit_seconds.add(seconds)

    def end(self, status: str, flow: str) -> None:
        """A run of this flow has ended so. Flows beyond the first 200 are counted as `other`."""
        if flow not in self._flows:
            if len(self._flows) >= _FLOWS:
                flow = OTHER
            else:
                self._flows.add(flow)
        self.ended[status, flow] += 1
