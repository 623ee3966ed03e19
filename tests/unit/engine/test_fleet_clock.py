"""A worker whose own clock is wrong goes by the database's."""

from callboard.engine.clock import FleetClock
from callboard.testing import WindingClock


def test_a_clock_that_is_an_hour_off_is_corrected() -> None:
    own = WindingClock(1_000.0)
    clock = FleetClock(own)
    clock.correct(4_600.0, own.monotonic())
    assert 4_599.9 < clock.now() < 4_600.1
    own.set(1_010.0)
    assert 4_609.9 < clock.now() < 4_610.1


def test_what_an_answer_can_be_late_is_not_taken_for_a_wrong_clock() -> None:
    own = WindingClock(1_000.0)
    clock = FleetClock(own)
    clock.correct(999.7, own.monotonic() - 1.0)  # half a second on the way, each way
    assert clock.now() == 1_000.0


def test_timers_go_off_by_the_corrected_time() -> None:
    own, rung = WindingClock(1_000.0), []
    clock = FleetClock(own)
    clock.correct(4_600.0, own.monotonic())
    clock.call_at(4_700.0, lambda: rung.append(1))
    own.set(1_099.0)
    assert not rung
    own.set(1_101.0)
    assert rung
