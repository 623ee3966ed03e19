"""What a process counts. Counting adds to plain numbers; they become text only when somebody asks for it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from callboard.domain.error_classes import class_of
from callboard.domain.usage import Usage

_GROUPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)  # ops in a commit
_COMMITS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
_CALLS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # seconds
_REQUESTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_FLOWS = 200  # names of flows that are told apart; a program that makes up flows must not fill the scraper's disk
_NAMES = 100  # and names of models, of routes
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
        effects: how long executions of effects took that succeeded, in seconds, by what they were: model, tool, step.
        models: how long answers took, in seconds, by model.
        first_tokens: how long it took until a model began to answer, in seconds, by model.
        tokens: by model and what they were: input, output, cached.
        cost: in micro-dollars, by model.
        errors: failures by class, see callboard.domain.error_classes, and where: model, tool, step, run.
        budget_refusals: calls for which a budget left no room, by what the budget is about.
        requests: HTTP requests by method, route and status.
        request_seconds: how long they took, by route.
        streams: streams that are open now.
        logins_failed: log-ins that failed.
        deliveries: webhooks, by what came of it: delivered, failed, given_up.
        telemetry_told: runs whose spans a collector took.
        telemetry_dropped: runs whose spans nobody took, by reason: queue, unread, unreachable, rejected, closed.
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
        self.effects = {sort: Histogram(_CALLS) for sort in ("model", "tool", "step")}
        self.models: dict[str, Histogram] = {}
        self.first_tokens: dict[str, Histogram] = {}
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.cost: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.budget_refusals: Counter[str] = Counter()
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.request_seconds: dict[str, Histogram] = {}
        self.streams = 0
        self.logins_failed = 0
        self.deliveries: Counter[str] = Counter()
        self.telemetry_told = 0
        self.telemetry_dropped: Counter[str] = Counter()
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

    def failure(self, kind: str, where: str) -> None:
        """Something of this kind of error has failed: a model, a tool, a step, or a run as a whole."""
        self.errors[class_of(kind), where] += 1

    def answer(self, model: str, seconds: float, usage: Usage) -> None:
        """A model has answered. Models beyond the first 100 are counted as `other`."""
        model = _known(self.models, model, _CALLS)
        self.models[model].add(seconds)
        tokens = self.tokens
        tokens[model, "input"] += usage.input_tokens
        tokens[model, "output"] += usage.output_tokens
        if usage.cached_tokens:
            tokens[model, "cached"] += usage.cached_tokens
        self.cost[model] += usage.cost

    def first_token(self, model: str, seconds: float) -> None:
        """A model has begun to answer."""
        self.first_tokens[_known(self.first_tokens, model, _CALLS)].add(seconds)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A door has answered a request. `route` is a template, never a path: paths have ids in them."""
        route = _known(self.request_seconds, route, _REQUESTS)
        self.requests[method, route, status] += 1
        self.request_seconds[route].add(seconds)


def _known(found: dict[str, Histogram], name: str, bounds: Sequence[float]) -> str:
    """The name under which something is counted: its own, if there are not too many yet."""
    if name not in found:
        if len(found) >= _NAMES:
            name = OTHER
        found.setdefault(name, Histogram(bounds))
    return name
