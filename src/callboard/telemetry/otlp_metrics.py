"""The numbers of the exposition as OTLP metrics: the same names, labels and buckets, made of the same data."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import Metric

from callboard.telemetry.otlp import SCOPE, put

_CUMULATIVE = 2  # as OTLP numbers what counts from the start of the process
_UNITS = {"_seconds": "s", "_usd": "{USD}", "_tokens": "{token}"}


def request(families: Iterable[Metric], resource: Mapping[str, str], version: str, since: int) -> bytes:
    """An export request of what a process counts that says `resource` of itself. `since` is when counting began, in
    nanoseconds since the Unix epoch."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    made = ExportMetricsServiceRequest()
    group = made.resource_metrics.add()
    for name, value in resource.items():
        put(group.resource.attributes, name, value)
    scope = group.scope_metrics.add()
    scope.scope.name = SCOPE
    scope.scope.version = version
    now = time.time_ns()
    for family in families:
        if family.samples:
            _write(scope.metrics.add(), family, since, now)
    body: bytes = made.SerializeToString()
    return body


def _write(made: Any, family: Metric, since: int, now: int) -> None:
    made.name = family.name
    made.description = family.documentation
    made.unit = next((unit for end, unit in _UNITS.items() if family.name.endswith(end)), "1")
    if family.type == "histogram":
        made.histogram.aggregation_temporality = _CUMULATIVE
        _histogram(made.histogram.data_points, family, since, now)
        return
    if family.type == "counter":
        made.sum.aggregation_temporality = _CUMULATIVE
        made.sum.is_monotonic = True
        points, begun = made.sum.data_points, since
    else:
        points, begun = made.gauge.data_points, 0
    for sample in family.samples:
        point = points.add()
        point.start_time_unix_nano = begun
        point.time_unix_nano = now
        point.as_double = sample.value
        for name, value in sample.labels.items():
            put(point.attributes, name, value)


def _histogram(points: Any, family: Metric, since: int, now: int) -> None:
    found: dict[tuple[tuple[str, str], ...], Any] = {}
    below: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        key = tuple(sorted(labels.items()))
        point = found.get(key)
        if point is None:
            point = found[key] = points.add()
            point.start_time_unix_nano = since
            point.time_unix_nano = now
            for name, value in labels.items():
                put(point.attributes, name, value)
        if sample.name.endswith("_bucket"):
            point.bucket_counts.append(int(sample.value - below.get(key, 0.0)))
            below[key] = sample.value
            if sample.labels["le"] != "+Inf":
                point.explicit_bounds.append(float(sample.labels["le"]))
        elif sample.name.endswith("_count"):
            point.count = int(sample.value)
        elif sample.name.endswith("_sum"):
            point.sum = sample.value
