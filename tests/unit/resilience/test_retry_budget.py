"""Retries stay a share of the calls of the last minute."""

from callboard.resilience.retry_budget import FLOOR, RetryBudget


class Now:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def granted(budget: RetryBudget, asked: int) -> int:
    return sum(budget.take() for _ in range(asked))


def test_a_quiet_upstream_has_its_floor() -> None:
    budget = RetryBudget(0.2, clock=Now())
    assert granted(budget, 100) == FLOOR


def test_a_busy_one_has_its_share() -> None:
    budget = RetryBudget(0.2, clock=Now())
    for _ in range(1_000):
        budget.call()
    assert granted(budget, 1_000) == 200


def test_what_is_older_than_the_window_no_longer_counts() -> None:
    now = Now()
    budget = RetryBudget(0.2, clock=now)
    for _ in range(1_000):
        budget.call()
    assert granted(budget, 1_000) == 200
    now.now += 59
    assert granted(budget, 10) == 0
    now.now += 2
    assert granted(budget, 100) == FLOOR
    assert granted(budget, 100) == 0


def test_calls_and_retries_leave_the_window_as_they_came() -> None:
    now = Now()
    budget = RetryBudget(0.5, floor=0, clock=now)
    for _ in range(120):
        budget.call()
        now.now += 1
    assert granted(budget, 100) == 29  # half of the 59 that are younger than a minute


def test_a_share_of_nothing_is_never() -> None:
    assert granted(RetryBudget(0.0, clock=Now()), 5) == 0


def test_a_clock_that_is_set_back_forgets_what_lies_ahead() -> None:
    now = Now()
    budget = RetryBudget(0.2, clock=now)
    assert granted(budget, 100) == FLOOR
    now.now -= 500
    assert granted(budget, 100) == FLOOR
