"""Metrics as Prometheus reads them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from callboard.telemetry.metrics import Histogram, Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class UpstreamLevel:
    """How an upstream stands, as one process knows it.

    Attributes:
        name: its name.
        state: its breaker's: closed, half_open or open.
        inside: calls under way, of this process.
        places: how many may be, over the whole fleet; None without a limit.
    """

    name: str
    state: str
    inside: int
    places: int | None


@dataclass(frozen=True, slots=True)
class Levels:
    """Numbers that are looked up when somebody asks. None: not known now, and left out.

    Attributes:
        runs: ready, running and waiting runs, over all tenants and workers.
        oldest: seconds for which the run that has been ready longest has waited; 0 without any.
        active: runs that are executed in this process.
        capacity: how many it executes at a time.
        upstreams: those that this process calls.
    """

    runs: dict[str, int] | None = None
    oldest: float | None = None
    active: int | None = None
    capacity: int | None = None
    upstreams: Sequence[UpstreamLevel] = ()


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

    def families(self, levels: Levels) -> list[Metric]:
        """Everything, as data."""
        self._collector.levels = levels
        return list(self.registry.collect())


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
        yield from _calls(m)
        yield from _doors(m)

    def _gauges(self, levels: Levels) -> Iterator[Metric]:
        if levels.runs is not None:
            runs = GaugeMetricFamily("callboard_runs", "Runs by status, of the whole store", labels=["status"])
            for status, count in levels.runs.items():
                runs.add_metric([status], count)
            yield runs
        yield from _upstreams(levels.upstreams)
        for name, summary, value in (
            ("callboard_ready_oldest_age_seconds", "How long the oldest ready run has waited", levels.oldest),
            ("callboard_worker_active", "Runs being executed by this process", levels.active),
            ("callboard_worker_capacity", "Runs that this process executes at a time", levels.capacity),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, summary, value)


def _upstreams(levels: Sequence[UpstreamLevel]) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "callboard_upstream_state", "1 for the state in which an upstream's breaker is", labels=["upstream", "state"]
    )
    inside = GaugeMetricFamily("callboard_upstream_calls", "Calls under way of this process", labels=["upstream"])
    places = GaugeMetricFamily("callboard_upstream_places", "Calls that may be under way", labels=["upstream"])
    for each in levels:
        for name in ("closed", "half_open", "open"):
            state.add_metric([each.name, name], float(each.state == name))
        inside.add_metric([each.name], each.inside)
        if each.places is not None:
            places.add_metric([each.name], each.places)
    yield from (state, inside, places)


def _calls(m: Metrics) -> Iterator[Metric]:
    yield _histograms("callboard_effect_seconds", "How long effects took that succeeded", "sort", m.effects)
    yield _histograms("callboard_model_seconds", "How long models took to answer", "model", m.models)
    yield _histograms("callboard_model_first_token_seconds", "How long models took to begin", "model", m.first_tokens)
    yield _counters("callboard_tokens", "Tokens of model calls", ("model", "type"), m.tokens)
    cost = CounterMetricFamily("callboard_cost_usd", "What model calls cost, in dollars", labels=["model"])
    for model, micros in m.cost.copy().items():
        cost.add_metric([model], micros / 1_000_000)
    yield cost
    yield _counters("callboard_errors", "Failures by class and place", ("kind", "where"), m.errors)
    yield _counters("callboard_budget_refusals", "Calls without room in a budget", ("scope",), m.budget_refusals)


def _doors(m: Metrics) -> Iterator[Metric]:
    yield _counters("callboard_http_requests", "HTTP requests", ("method", "route", "status"), m.requests)
    yield _histograms("callboard_http_request_seconds", "How long HTTP requests took", "route", m.request_seconds)
    yield GaugeMetricFamily("callboard_http_streams", "Streams that are open", m.streams)
    yield _counter("callboard_logins_failed", "Log-ins that failed", m.logins_failed)
    yield _counters("callboard_webhook_deliveries", "Webhooks by what came of it", ("outcome",), m.deliveries)
    yield _counter("callboard_telemetry_runs", "Runs whose spans a collector took", m.telemetry_told)
    yield _counters(
        "callboard_telemetry_dropped", "Runs whose spans nobody took, by reason", ("reason",), m.telemetry_dropped
    )


def _counters(name: str, summary: str, labels: Sequence[str], found: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, summary, labels=labels)
    for key, count in dict(found).items():
        family.add_metric([str(each) for each in (key if isinstance(key, tuple) else (key,))], count)
    return family


def _histograms(name: str, summary: str, label: str, found: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, summary, labels=[label])
    for value, each in dict(found).items():
        family.add_metric([value], buckets=_buckets(each), sum_value=each.total)
    return family


def _buckets(found: Histogram) -> list[tuple[str, float]]:
    bounds = [*(f"{bound:g}" for bound in found.bounds), "+Inf"]
    return list(zip(bounds, accumulate(found.counts), strict=True))


def _counter(name: str, summary: str, value: int) -> Metric:
    return CounterMetricFamily(name, summary, value)


def _histogram(name: str, summary: str, found: Histogram) -> Metric:
    return HistogramMetricFamily(name, summary, buckets=_buckets(found), sum_value=found.total)
