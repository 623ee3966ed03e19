"""A collector that is dead, slow or angry costs no run anything, and what it missed is counted."""

import asyncio
import time

import pytest

import callboard as cb
from callboard.settings import Settings, TelemetrySettings
from tests.telemetry.collector import collecting
from tests.telemetry.conventions import faults
from tests.telemetry.troupe import app, broken, helper

RUNS = 60


async def rounds(endpoint: str) -> tuple[float, float, cb.Runtime]:
    """Seconds until all runs have ended, and until the process has closed."""
    settings = Settings(store="sqlite://", telemetry=TelemetrySettings(endpoint=endpoint))
    async with cb.open(app, settings=settings) as rt:
        begun = time.monotonic()
        assert await asyncio.gather(*[rt.run(helper, "hi") for _ in range(RUNS)]) == ["done"] * RUNS
        ran = time.monotonic() - begun
    return ran, time.monotonic() - begun - ran, rt


@pytest.mark.parametrize("mode", ["refuse", "hang", "500", "503", "400"])
async def test_runs_go_on_at_the_same_pace_whatever_becomes_of_what_they_tell(mode: str) -> None:
    alone, _, _ = await rounds("")
    with collecting(mode if mode != "refuse" else "ok") as collector:
        endpoint = "http://127.0.0.1:9" if mode == "refuse" else collector.url
        ran, closing, rt = await rounds(endpoint)
    # A run that waited for the collector would take as long as one that hangs is given: ten seconds.
    assert ran < alone * 2 + 5.0, "measured on a machine that others use too"
    assert closing < 20.0, "it stops, however long the collector takes"
    metrics = rt.services.metrics
    assert metrics.telemetry_told == 0
    assert sum(metrics.telemetry_dropped.values()) == RUNS
    if mode != "hang":
        assert set(metrics.telemetry_dropped) & {"unreachable", "rejected", "closed"}


async def test_of_a_sampled_share_all_that_failed_or_cost_much_is_told_and_a_callers_word_counts() -> None:
    off, on = f"00-{'1' * 32}-{'2' * 16}-00", f"00-{'f' * 32}-{'2' * 16}-01"
    with collecting() as collector:
        cheap = TelemetrySettings(endpoint=collector.url, sample=0.0, expensive=0.01, content="redacted")
        async with cb.open(app, settings=Settings(store="sqlite://", telemetry=cheap)) as rt:
            await rt.run(helper, "hi", trace=on)
            with pytest.raises(cb.RunFailed):
                await rt.run(broken, "4111 1111 1111 1111", trace=off)
        assert [span.name for span in collector.spans] == ["invoke_workflow broken"]
        failed = collector.spans[0]
        assert failed.facts["callboard.kept_because"] == "failed"
        assert failed.facts["callboard.error.class"] == "bug"
        assert failed.facts["callboard.input"] == '"[card]"'
        assert failed.said == "RuntimeError: card [card] was refused"
        collector.spans.clear()
        dear = TelemetrySettings(endpoint=collector.url, sample=0.0, expensive=0.00001)
        async with cb.open(app, settings=Settings(store="sqlite://", telemetry=dear)) as rt:
            await rt.run(helper, "hi")
        assert collector.spans[0].facts["callboard.kept_because"] == "expensive"
        collector.spans.clear()
        share = TelemetrySettings(endpoint=collector.url, sample=0.5)
        async with cb.open(app, settings=Settings(store="sqlite://", telemetry=share)) as rt:
            for trace in (on, off, off.replace("-00", "-01")):
                await rt.run(helper, "hi", trace=trace)
        assert {span.trace for span in collector.spans} == {"f" * 32}, "the other is not in the share"
        assert not faults(collector.spans)


async def test_numbers_arrive_as_prometheus_has_them() -> None:
    with collecting() as collector:
        settings = Settings(store="sqlite://", telemetry=TelemetrySettings(endpoint=collector.url))
        async with cb.open(app, settings=settings) as rt:
            await rt.run(helper, "hi")
            text = (await rt.condition.metrics()).decode()
        found = {metric.name: metric for metric in collector.metrics}
    assert 'callboard_tokens_total{model="scripted",type="input"}' in text
    assert 'callboard_errors_total{kind="invented_tool",where="tool"} 1.0' in text
    chats = next(iter(found["callboard_effect_seconds"].histogram.data_points))
    assert (chats.attributes[0].value.string_value, chats.count, sum(chats.bucket_counts)) == ("model", 3, 3)
    assert len(chats.bucket_counts) == len(chats.explicit_bounds) + 1
    assert found["callboard_effect_seconds"].unit == "s"
    errors = found["callboard_errors"].sum
    assert errors.is_monotonic
    assert errors.data_points[0].as_double == 1.0
