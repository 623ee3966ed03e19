"""What one process keeps of its streams is bounded, and what was dropped is told."""

import pytest

from callboard.streams import in_process
from callboard.streams.in_process import InProcessStream
from callboard.streams.stream import GAP, START, Chunk


class Ticking:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def chunk(number: int, run_id: str = "run", value: object = None) -> Chunk:
    return Chunk(run_id, 1, "", number, "progress", value, "acme")


async def kept(stream: InProcessStream, run_id: str = "run") -> list[int]:
    return [each.number for each in await stream.read("acme", run_id, (0, 0))]


async def test_the_last_thousand_chunks_of_a_run_are_kept_and_the_others_told_as_lost() -> None:
    stream = InProcessStream()
    for n in range(1, 1_501):
        stream.publish(chunk(n))
    assert await kept(stream) == list(range(501, 1_501))
    reader = stream.follow("acme", "run", START)
    gap, first = await anext(reader), await anext(reader)
    assert (gap.kind, gap.value, gap.id) == (GAP, {"lost": 500}, "1-500")
    assert first.number == 501


async def test_of_a_thousand_runs_chunks_are_kept_those_that_were_quiet_longest_go() -> None:
    stream = InProcessStream()
    for n in range(1_000):
        stream.publish(chunk(1, f"run-{n}"))
    stream.publish(chunk(2, "run-0"))
    stream.publish(chunk(1, "one more"))
    assert await kept(stream, "run-0") == [1, 2]
    assert await kept(stream, "run-1") == []
    assert await kept(stream, "one more") == [1]


async def test_a_run_that_was_quiet_for_long_is_dropped() -> None:
    clock = Ticking()
    stream = InProcessStream(clock)
    stream.publish(chunk(1))
    clock.now = 599.0
    stream.publish(chunk(1, "other"))
    assert await kept(stream) == [1]
    clock.now = 601.0
    stream.publish(chunk(2, "other"))
    assert await kept(stream) == []


async def test_the_chunks_of_all_runs_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "_ALL", 10)
    stream = InProcessStream()
    for n in range(1, 8):
        stream.publish(chunk(n, "a"))
        stream.publish(chunk(n, "b"))
    assert len(await kept(stream, "a")) + len(await kept(stream, "b")) <= 10
    assert 7 in await kept(stream, "b")


async def test_values_are_handed_over_as_they_are() -> None:
    stream, value = InProcessStream(), object()
    stream.publish(chunk(1, value=value))
    assert (await stream.read("acme", "run", (0, 0)))[0].value is value
