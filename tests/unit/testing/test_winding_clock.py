"""The clock of the test kit stands still until it is wound."""

import time

from callboard.testing import WindingClock


def test_it_stands_still_until_it_is_set() -> None:
    clock = WindingClock(start=100.0)
    assert clock.now() == clock.now() == 100.0
    clock.set(150.0)
    assert clock.now() == 150.0


def test_timers_ring_in_the_order_of_their_times_and_once() -> None:
    clock, rung = WindingClock(start=0.0), []
    for when in (30.0, 10.0, 20.0, 10.0):
        clock.call_at(when, lambda when=when: rung.append(when))  # type: ignore[misc]
    clock.set(9.0)
    assert rung == []
    clock.set(25.0)
    assert rung == [10.0, 10.0, 20.0]
    clock.set(100.0)
    clock.set(200.0)
    assert rung == [10.0, 10.0, 20.0, 30.0]


def test_a_cancelled_timer_does_not_ring_and_is_not_the_next() -> None:
    clock, rung = WindingClock(start=0.0), []
    first = clock.call_at(1.0, lambda: rung.append(1))
    clock.call_at(2.0, lambda: rung.append(2))
    first.cancel()
    assert clock.next_timer() == 2.0
    clock.set(5.0)
    assert rung == [2]
    assert clock.next_timer() is None


def test_a_timer_may_set_another_one_that_is_due_as_well() -> None:
    clock, rung = WindingClock(start=0.0), []
    clock.call_at(1.0, lambda: clock.call_at(2.0, lambda: rung.append("second")))
    clock.set(3.0)
    assert rung == ["second"]


def test_it_can_be_set_back_and_rings_nothing_twice() -> None:
    clock, rung = WindingClock(start=100.0), []
    clock.call_at(110.0, lambda: rung.append(1))
    clock.set(120.0)
    clock.set(50.0)
    assert clock.now() == 50.0
    clock.set(130.0)
    assert rung == [1]


def test_monotonic_time_goes_on_by_itself() -> None:
    clock = WindingClock()
    before = clock.monotonic()
    clock.set(0.0)
    time.sleep(0.002)
    assert clock.monotonic() > before
