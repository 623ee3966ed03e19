"""What is counted is told as Prometheus reads it, and stays small."""

import subprocess
import sys

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from callboard.telemetry.exposition import Exposition, Levels
from callboard.telemetry.metrics import Histogram, Metrics

Sample = tuple[str, tuple[tuple[str, str], ...]]


def samples(metrics: Metrics, levels: Levels = Levels()) -> dict[Sample, float]:  # noqa: B008
    text = Exposition(metrics).text(levels).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_are_told_with_their_labels() -> None:
    metrics = Metrics()
    metrics.started = 3
    metrics.refused["max_ready"] += 2
    metrics.end("failed", "pay")
    metrics.end("succeeded", "pay")
    metrics.end("succeeded", "pay")
    found = samples(metrics)
    assert found["callboard_starts_total", ()] == 3
    assert found["callboard_starts_refused_total", (("limit", "max_ready"),)] == 2
    assert found["callboard_runs_ended_total", (("flow", "pay"), ("status", "succeeded"))] == 2
    assert found["callboard_runs_ended_total", (("flow", "pay"), ("status", "failed"))] == 1
    assert found["callboard_takeovers_total", ()] == 0


def test_what_is_not_known_is_left_out_and_never_told_as_nothing() -> None:
    assert not [name for name, _ in samples(Metrics()) if name.startswith(("callboard_runs{", "callboard_worker"))]
    found = samples(Metrics(), Levels(runs={"ready": 7}, oldest=1.5, active=0, capacity=256))
    assert found["callboard_runs", (("status", "ready"),)] == 7
    assert found["callboard_ready_oldest_age_seconds", ()] == 1.5
    assert found["callboard_worker_active", ()] == 0
    assert found["callboard_worker_capacity", ()] == 256


def test_a_histogram_counts_each_value_once_and_its_bounds_are_included() -> None:
    histogram = Histogram((1, 10))
    for value in (0.5, 1, 2, 10, 11, 1e9):
        histogram.add(value)
    assert histogram.counts == [2, 2, 2]
    assert histogram.total == pytest.approx(1e9 + 24.5)


def test_commits_are_told_as_histograms() -> None:
    metrics = Metrics()
    metrics.group(1, 0.0004)
    metrics.group(150, 0.03)
    metrics.group(2_000, 60.0)
    found = samples(metrics)
    assert found["callboard_store_group_size_bucket", (("le", "100"),)] == 1
    assert found["callboard_store_group_size_bucket", (("le", "200"),)] == 2
    assert found["callboard_store_group_size_count", ()] == 3
    assert found["callboard_store_group_size_sum", ()] == 2_151
    assert found["callboard_store_commit_seconds_bucket", (("le", "5"),)] == 2
    assert found["callboard_store_commit_seconds_bucket", (("le", "+Inf"),)] == 3


def test_flows_without_number_do_not_make_labels_without_number() -> None:
    metrics = Metrics()
    for number in range(1_000):
        metrics.end("succeeded", f"flow{number}")
    assert len(metrics.ended) == 201
    assert metrics.ended["succeeded", "other"] == 800


def test_two_runtimes_do_not_share_a_registry() -> None:
    one, two = Metrics(), Metrics()
    one.started = 1
    assert samples(one)["callboard_starts_total", ()] == 1
    assert samples(two)["callboard_starts_total", ()] == 0
    assert not [family for family in REGISTRY.collect() if family.name.startswith("callboard")]


def test_who_counts_does_not_load_what_tells() -> None:
    program = "import sys, callboard.runtime; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "False"
