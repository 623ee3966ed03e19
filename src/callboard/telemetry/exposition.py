"""Metrics as Prometheus reads them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from callboard.telemetry.metrics import Histogram, Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Levels:
    """Numbers that are looked up when somebody asks. None: not known now, and left out.

    Attributes:
        runs: ready, running and waiting runs, over all tenants and workers.
        oldest: seconds for which the run that has been ready longest has waited; 0 without any.
        active: runs that are executed in this process.
        capacity: how many it executes at a time.
    """

    runs: dict[str, int] | None = None
    oldest: float | None = None
    active: int | None = None
    capacity: int | None = None


class Exposition:
    """One runtime's metrics in a registry of its own. Whoever has more to tell may register it there."""

    def __init__(self, metrics: Metrics) -> None:
        self.registry = CollectorRegistry()
        self._collector = _Collected(metrics)
        self.registry.register(self._collector)

    def text(self, levels: Levels) -> bytes:
        """Everything, in the text format of Prometheus (`CONTENT_TYPE`)."""
        self._collector.levels = levels
        return generate_latest(self.registry)


class _Collected(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.levels = Levels()

    def collect(self) -> Iterable[Metric]:
        """What Prometheus calls for."""
        yield from self._gauges(self.levels)
        m = self._metrics
        yield _counter("callboard_starts", "Runs started through this process's doors", m.started)
        refused = CounterMetricFamily("callboard_starts_refused", "Starts refused, by limit", labels=["limit"])
        for limit, count in m.refused.copy().items():
            refused.add_metric([limit], count)
        yield refused
        yield _counter("callboard_claims", "Runs claimed by this process", m.claimed)
        ended = CounterMetricFamily("callboard_runs_ended", "Runs that ended here", labels=["status", "flow"])
        for (status, flow), count in m.ended.copy().items():
            ended.add_metric([status, flow], count)
        yield ended
        yield _counter("callboard_takeovers", "Runs freed here from workers that were gone", m.taken_over)
        yield _counter("callboard_dead_letters", "Runs given up here because workers kept dying on them", m.dead)
        warned = CounterMetricFamily(
            "callboard_budget_warnings", "Shares of budgets that this process found used up", labels=["scope"]
        )
        for scope, count in m.budget_warnings.copy().items():
            warned.add_metric([scope], count)
        yield warned
        yield _histogram("callboard_store_group_size", "Operations in one commit", m.group_size)
        yield _histogram("callboard_store_commit_seconds", "How long one commit took", m.commit_seconds)

    def _gauges(self, levels: Levels) -> Iterator[Metric]:
        if levels.runs is not None:
            runs = GaugeMetricFamily("callboard_runs", "Runs by status, of the whole store", labels=["status"])
            for status, count in levels.runs.items():
                runs.add_metric([status], count)
            yield runs
        for name, summary, value in (
            ("callboard_ready_oldest_age_seconds", "How long the oldest ready run has waited", levels.oldest),
            ("callboard_worker_active", "Runs being executed by this process", levels.active),
            ("callboard_worker_capacity", "Runs that this process executes at a time", levels.capacity),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, summary, value)


def _counter(name: str, summary: str, value: int) -> Metric:
    return CounterMetricFamily(name, summary, value)


def _histogram(name: str, summary: str, found: Histogram) -> Metric:
    bounds = [*(f"{bound:g}" for bound in found.bounds), "+Inf"]
    return HistogramMetricFamily(
        name, summary, buckets=list(zip(bounds, accumulate(found.counts), strict=True)), sum_value=found.total
    )
