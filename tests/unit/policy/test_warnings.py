import pytest

from callboard.domain.budget import ZERO, Amount, Bound, Measure
from callboard.policy import warnings

SHARES = (0.5, 0.8, 1.0)


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [(0, 4, None), (0, 5, 0.5), (4, 5, 0.5), (5, 7, None), (5, 8, 0.8), (0, 10, 1.0), (8, 9, None), (9, 12, 1.0)],
)
def test_a_share_is_told_when_it_is_crossed(before: int, after: int, share: float | None) -> None:
    found = warnings(Bound(calls=10), SHARES, Amount(calls=after), Amount(calls=before))
    assert [each.share for each in found] == ([] if share is None else [share])


def test_each_measure_has_its_own_limit() -> None:
    found = warnings(Bound(cost=100, tokens=100, millis=100), (0.8,), Amount(cost=80, tokens=79, calls=9, millis=200))
    assert [(each.measure, each.used, each.bound) for each in found] == [
        (Measure.USD, 80, 100),
        (Measure.SECONDS, 200, 100),
    ]


def test_a_limit_of_nothing_and_no_shares_warn_of_nothing() -> None:
    assert warnings(Bound(calls=0), SHARES, Amount(calls=1)) == []
    assert warnings(Bound(calls=1), (), Amount(calls=1)) == []
    assert warnings(Bound(), SHARES, Amount(1, 1, 1, 1), ZERO) == []
